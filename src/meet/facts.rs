//! What a hand weighs, how it stands, what its fingertips reach and what of it can touch: numbers for people and programs.

use super::reach::{Reach, reach};
use super::solid::Solid;
use super::stance::{LEVEL_DEGREES, Stance};
use giraffe_physics::SceneModel;
use giraffe_robots::{Region, RobotModel};
use serde::Serialize;
use std::fmt;

/// All of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Facts {
    /// Of every link that has a mass.
    pub masses: Vec<LinkMass>,
    /// Of all links, kg.
    pub total_kg: f32,
    /// Of the links that move, kg.
    pub moving_kg: f32,
    /// How the hand stands; none where its fingers do not tell.
    pub stance: Option<Stance>,
    /// Where an object starts, palm frame, m.
    pub object_home_m: [f32; 3],
    /// Every fingertip.
    pub fingertips: Vec<Reach>,
    /// What can touch what.
    pub contacts: Contacts,
}

/// The mass of one link.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LinkMass {
    /// Its name.
    pub name: String,
    /// kg
    pub kg: f32,
    /// Whether a joint moves it.
    pub moves: bool,
}

/// Shapes by the part of the hand they belong to, and which links may touch one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Contacts {
    /// Shapes of palm and mount.
    pub palm_shapes: usize,
    /// Shapes of finger links.
    pub link_shapes: usize,
    /// Shapes of fingertips.
    pub tip_shapes: usize,
    /// Pairs of links with shapes.
    pub pairs: usize,
    /// Of these, how many never touch one another: neighbours, and what the description excludes.
    pub excluded_pairs: usize,
    /// Whether any two links of the hand can touch.
    pub self_collision: bool,
}

impl Facts {
    /// Those of a hand and its object.
    pub fn of(scene: &SceneModel) -> Self {
        let robot = scene.robot();
        let moves = |body: usize| ancestors(robot, body).any(|body| robot.bodies[body].joint.is_some());
        let masses = robot.bodies.iter().enumerate().filter(|(_, body)| body.mass_kg > 0.0);
        let masses: Vec<LinkMass> = masses
            .map(|(index, body)| LinkMass { name: body.name.clone(), kg: body.mass_kg, moves: moves(index) })
            .collect();
        let object = Solid { shape: scene.object().shape, palm_from_shape: robot.palm_from_object_home };
        Self {
            total_kg: masses.iter().map(|link| link.kg).sum(),
            moving_kg: masses.iter().filter(|link| link.moves).map(|link| link.kg).sum(),
            masses,
            stance: Stance::of(robot),
            object_home_m: robot.palm_from_object_home.translation.vector.into(),
            fingertips: reach(robot, object),
            contacts: Contacts::of(robot),
        }
    }
}

fn ancestors(robot: &RobotModel, body: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(body), |body| robot.bodies[*body].parent)
}

impl Contacts {
    /// Those of a hand.
    pub fn of(robot: &RobotModel) -> Self {
        let count =
            |region| robot.bodies.iter().flat_map(|body| &body.geoms).filter(|geom| geom.region == region).count();
        // What is welded to a link moves with it: it is part of the same unit.
        let unit = |body: usize| ancestors(robot, body).find(|body| robot.bodies[*body].joint.is_some()).unwrap_or(0);
        let units: Vec<usize> = (0..robot.bodies.len()).map(unit).collect();
        let mut solid: Vec<usize> = (0..units.len()).filter(|body| !robot.bodies[*body].geoms.is_empty()).collect();
        solid.iter_mut().for_each(|body| *body = units[*body]);
        solid.sort_unstable();
        solid.dedup();
        let are_neighbours = |a: usize, b: usize| robot.bodies[b].parent.is_some_and(|parent| units[parent] == a);
        let are_excluded = |a: usize, b: usize| {
            let pair = |(c, d): &(usize, usize)| [(units[*c], units[*d]), (units[*d], units[*c])].contains(&(a, b));
            robot.contact_excludes.iter().any(pair)
        };
        let all = solid.iter().enumerate().flat_map(|(index, a)| solid[index + 1..].iter().map(move |b| (*a, *b)));
        let (mut pairs, mut excluded_pairs) = (0, 0);
        for (a, b) in all {
            pairs += 1;
            excluded_pairs += usize::from(are_neighbours(a, b) || are_neighbours(b, a) || are_excluded(a, b));
        }
        Self {
            palm_shapes: count(Region::Palm),
            link_shapes: count(Region::Link),
            tip_shapes: count(Region::Tip),
            pairs,
            excluded_pairs,
            self_collision: excluded_pairs < pairs,
        }
    }
}

/// Kilograms in grams with as many digits as matter.
fn grams(kg: f32) -> String {
    if kg < 0.01 { format!("{:.1}", kg * 1e3) } else { format!("{:.0}", kg * 1e3) }
}

fn place([x, y, z]: [f32; 3]) -> String {
    // What rounds to zero has no sign.
    let shown = |value: f32| (value * 1e4).round() / 1e4 + 0.0;
    format!("{:>8.4}{:>9.4}{:>9.4}", shown(x), shown(y), shown(z))
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let links: Vec<String> = self.masses.iter().map(|link| format!("{} {}", link.name, grams(link.kg))).collect();
        writeln!(f, "mass: {} g, of which {} g move", grams(self.total_kg), grams(self.moving_kg))?;
        links.chunks(5).try_for_each(|line| writeln!(f, "  {}", line.join(", ")))?;
        match &self.stance {
            Some(Stance { tilt_degrees, fingers: [x, y, z], .. }) => {
                let level = if *tilt_degrees > LEVEL_DEGREES { "NOT level" } else { "looks up" };
                writeln!(
                    f,
                    "palm: {level}, tilted by {tilt_degrees:.0} degrees; fingers point to {x:.2} {y:.2} {z:.2}"
                )?;
            }
            None => writeln!(f, "palm: its fingers do not tell how it stands")?,
        }
        writeln!(f, "object starts at {} m in the palm frame", place(self.object_home_m).trim_start())?;
        writeln!(f, "{:<22}{:>8}{:>9}{:>9}{:>12}{:>12}", "fingertip, m", "x", "y", "z", "to object", "at best")?;
        for tip in &self.fingertips {
            let cannot = if tip.reaches { "" } else { "  cannot reach the object" };
            writeln!(
                f,
                "{:<22}{}{:>12.4}{:>12.4}{cannot}",
                tip.name,
                place(tip.home_m),
                tip.home_distance_m,
                tip.least_distance_m
            )?;
        }
        let Contacts { palm_shapes, link_shapes, tip_shapes, pairs, excluded_pairs, self_collision } = self.contacts;
        let among = match self_collision {
            true => format!("of {pairs} pairs of links {excluded_pairs} never touch one another"),
            false => "no two links of the hand can touch one another".to_owned(),
        };
        writeln!(f, "shapes: {palm_shapes} of the palm, {link_shapes} of links, {tip_shapes} of fingertips; {among}")
    }
}
