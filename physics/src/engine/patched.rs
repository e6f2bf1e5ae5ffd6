//! What `third_party/rapier3d` does in paths of its own is what rapier does in general. Each test has the same thing twice in
//! two worlds: once as such a path takes it, once with something beside it that does not touch it but rules the path out.

use super::settings::{self, Surface};
use rapier3d::prelude::*;

const STEP_SECS: f32 = 0.01;

/// How long a finger is, and of which hinges: about which axis, and whether from the root (then a second finger begins).
type Hinges<'a> = &'a [(Vec3, Option<usize>)];

fn world() -> PhysicsWorld {
    let mut world = PhysicsWorld::new();
    world.integration_parameters.dt = STEP_SECS;
    world.integration_parameters.num_solver_iterations = 2;
    world.integration_parameters.num_internal_pgs_iterations = 6;
    world.integration_parameters.friction_in_bias_pass = true;
    world.gravity = Vec3::new(0.5, -1.0, -9.0);
    world
}

fn surface() -> Surface {
    Surface { friction: 0.8, restitution: 0.0, groups: InteractionGroups::all(), mark: 0 }
}

fn cuboid(half_m: [f32; 3]) -> ColliderBuilder {
    let shape = SharedShape::cuboid(half_m[0], half_m[1], half_m[2]);
    settings::collider(shape, Pose::IDENTITY, ActiveHooks::empty(), &surface())
}

fn weight(kg: f32) -> MassProperties {
    MassProperties::new(Vec3::new(0.01, 0.002, -0.004), kg, Vec3::new(2e-5, 3e-5, 4e-5))
}

/// Links of 6 cm along x, each turned by a motor about an axis.
fn hand(world: &mut PhysicsWorld, hinges: Hinges<'_>) -> Vec<MultibodyJointHandle> {
    let root = world.insert_body(settings::fixed_body(Pose::IDENTITY));
    let mut links: Vec<RigidBodyHandle> = Vec::new();
    let mut joints = Vec::new();
    for (index, &(axis, parent)) in hinges.iter().enumerate() {
        let at = 0.06 * (index as f32 + 1.0);
        let body = settings::free_body(Pose::from_translation(Vec3::new(at, 0.0, 0.0)), weight(0.03));
        let link = world.insert_body(body);
        world.insert_collider(cuboid([0.02, 0.008, 0.008]), Some(link));
        let carrier = parent.map_or(root, |parent| links[parent]);
        let frame1 = Vec3::new(if parent.is_some() { 0.03 } else { 0.05 }, 0.01 * index as f32, 0.0);
        let mut joint = RevoluteJointBuilder::new(axis)
            .local_anchor1(frame1)
            .local_anchor2(Vec3::new(-0.03, 0.0, 0.002))
            .motor_model(MotorModel::ForceBased)
            .motor_position(0.4, 0.8, 0.05)
            .limits([-0.5, 0.9])
            .build();
        joint.data.contacts_enabled = false;
        joints.push(world.multibody_joints.insert(carrier, link, joint, true).expect("a tree"));
        links.push(link);
    }
    for (index, &joint) in joints.iter().enumerate() {
        let (multibody, link) = world.multibody_joints.get_mut(joint).expect("it is there");
        let dof = multibody.link(link).expect("it is there").assembly_id();
        multibody.damping_mut()[dof] = 0.01;
        multibody.armature_mut()[dof] = 1e-4;
        multibody.frictions_mut()[dof] = 0.002 * index as f32;
    }
    joints
}

/// A slider on the root of that hand, far away: nothing moves it, but a tree with it is not one of hinges.
fn slider(world: &mut PhysicsWorld, root: RigidBodyHandle) {
    let body = world.insert_body(settings::free_body(Pose::from_translation(Vec3::new(0.0, 0.0, 9.0)), weight(0.5)));
    let joint = PrismaticJointBuilder::new(Vec3::X).local_anchor1(Vec3::new(0.0, 0.0, 9.0)).build();
    world.multibody_joints.insert(root, body, joint, true).expect("a tree");
}

fn angles(world: &PhysicsWorld, joints: &[MultibodyJointHandle]) -> Vec<f32> {
    let angle = |joint: &MultibodyJointHandle| {
        let (multibody, link) = world.multibody_joints.get(*joint).expect("it is there");
        multibody.link(link).expect("it is there").joint().coords()[3..].iter().copied().find(|angle| *angle != 0.0)
    };
    joints.iter().map(|joint| angle(joint).unwrap_or(0.0)).collect()
}

/// Steps both worlds, and returns by how much angles and the place of a body came apart at most, and how far they went.
fn apart(
    [one, other]: [&mut PhysicsWorld; 2],
    joints: [&[MultibodyJointHandle]; 2],
    bodies: [Option<RigidBodyHandle>; 2],
    steps: usize,
) -> (f32, f32) {
    let place = |world: &PhysicsWorld, body: Option<RigidBodyHandle>| {
        body.map_or(Vec::new(), |body| world.bodies[body].translation().to_array().to_vec())
    };
    let seen = |world: &PhysicsWorld, joints: &[MultibodyJointHandle], body| {
        [angles(world, joints), place(world, body)].concat()
    };
    let (start, mut apart, mut way) = (seen(one, joints[0], bodies[0]), 0.0f32, 0.0f32);
    for _ in 0..steps {
        one.step();
        other.step();
        let (a, b) = (seen(one, joints[0], bodies[0]), seen(other, joints[1], bodies[1]));
        apart = a.iter().zip(&b).fold(apart, |most, (a, b)| most.max((a - b).abs()));
        way = a.iter().zip(&start).fold(way, |most, (a, b)| most.max((a - b).abs()));
    }
    (apart, way)
}

const FINGER: [(Vec3, Option<usize>); 4] =
    [(Vec3::Z, None), (Vec3::Y, Some(0)), (Vec3::Y, Some(1)), (Vec3::Y, Some(2))];
/// A wrist of two, a finger of three and one of two.
const WRIST: [(Vec3, Option<usize>); 7] = [
    (Vec3::Z, None),
    (Vec3::Y, Some(0)),
    (Vec3::X, Some(1)),
    (Vec3::Y, Some(2)),
    (Vec3::Y, Some(3)),
    (Vec3::Z, Some(1)),
    (Vec3::Y, Some(5)),
];

fn root_of(world: &PhysicsWorld, joint: MultibodyJointHandle) -> RigidBodyHandle {
    world.multibody_joints.get(joint).expect("it is there").0.root().rigid_body_handle()
}

#[test]
fn a_tree_of_hinges_moves_as_rapier_moves_any_tree() {
    for hinges in [&FINGER[..1], &FINGER, &WRIST] {
        let (mut one, mut other) = (world(), world());
        let joints = [hand(&mut one, hinges), hand(&mut other, hinges)];
        let root = root_of(&other, joints[1][0]);
        slider(&mut other, root);
        let (apart, way) = apart([&mut one, &mut other], [&joints[0], &joints[1]], [None; 2], 100);
        assert!(way > 0.2, "{} hinges went {way} rad", hinges.len());
        assert!(apart < 2e-4, "{} hinges came {apart} rad apart", hinges.len());
    }
}

#[test]
fn a_finger_pushes_a_box_as_rapier_lets_any_tree_push_it() {
    for hinges in [&FINGER[..], &WRIST] {
        let (mut one, mut other) = (world(), world());
        let joints = [hand(&mut one, hinges), hand(&mut other, hinges)];
        let root = root_of(&other, joints[1][0]);
        slider(&mut other, root);
        let tip = 0.05 + 0.06 * 2.0;
        let boxes = [&mut one, &mut other].map(|world| {
            let floor = Pose::from_translation(Vec3::new(0.0, 0.0, -0.102));
            let floor = world.insert_body(settings::fixed_body(floor));
            world.insert_collider(cuboid([1.0, 1.0, 0.05]), Some(floor));
            let at = Pose::from_translation(Vec3::new(tip, 0.015, -0.031));
            let body = world.insert_body(settings::free_body(at, weight(0.05)));
            world.insert_collider(cuboid([0.1, 0.03, 0.02]), Some(body));
            body
        });
        let (apart, way) = apart([&mut one, &mut other], [&joints[0], &joints[1]], boxes.map(Some), 20);
        let touching = one.narrow_phase.contact_pairs().filter(|pair| pair.has_any_active_contact()).count();
        assert!(touching > 1 && way > 0.02, "{touching} pairs touch, {way}");
        assert!(apart < 1e-3, "{} hinges and a box came {apart} apart", hinges.len());
    }
}

/// Takes motors, damping, rotors and dry friction from a hand, and gives its last joint a speed, rad/s.
fn fling(world: &mut PhysicsWorld, joints: &[MultibodyJointHandle], rad_per_sec: f32) {
    // Until the first step a root counts as free.
    world.step();
    let last = *joints.last().expect("a hinge");
    let (multibody, _) = world.multibody_joints.get_mut(last).expect("it is there");
    multibody.links_mut().for_each(|link| link.joint.data.motor_axes = JointAxesMask::empty());
    multibody.damping_mut().fill(0.0);
    multibody.armature_mut().fill(0.0);
    multibody.frictions_mut().fill(0.0);
    let dof = multibody.ndofs() - 1;
    multibody.generalized_velocity_mut()[dof] = rad_per_sec;
}

/// rapier lets it pass, and pulls it back from where it is after the step: at 80 rad/s half a turn away.
#[test]
fn a_hinge_that_is_flung_at_its_stop_does_not_pass_it() {
    for (hinges, rad_per_sec) in [(&FINGER[..1], 80.0), (&FINGER[..1], -80.0), (&FINGER[..], 80.0), (&WRIST[..], -80.0)]
    {
        let mut world = world();
        let joints = hand(&mut world, hinges);
        fling(&mut world, &joints, rad_per_sec);
        let mut farthest = 0.0f32;
        for step in 0..20 {
            world.step();
            let now = angles(&world, &joints);
            let within = now.iter().all(|angle| (-0.51..=0.91).contains(angle));
            assert!(within, "{} hinges, step {step}: {now:?} rad", hinges.len());
            farthest = farthest.max(now[hinges.len() - 1] * rad_per_sec.signum());
        }
        assert!(farthest > 0.45, "{} hinges came to {farthest} rad only", hinges.len());
    }
}

/// What is stopped is not lost: the link that has the stop takes it over, and angular momentum about the root's axis stays.
#[test]
fn a_stop_hands_on_what_it_stops() {
    let mut world = PhysicsWorld { gravity: Vec3::ZERO, ..world() };
    let joints = hand(&mut world, &[(Vec3::Z, None), (Vec3::Z, Some(0))]);
    let momentum = |world: &PhysicsWorld| -> f32 {
        let (multibody, _) = world.multibody_joints.get(joints[0]).expect("it is there");
        let of = |body: &RigidBody| {
            let arm = body.center_of_mass() - Vec3::new(0.05, 0.0, 0.0);
            body.mass() * arm.cross(body.linvel()).z + 4e-5 * body.angvel().z
        };
        multibody.links().skip(1).map(|link| of(&world.bodies[link.rigid_body_handle()])).sum()
    };
    fling(&mut world, &joints, 30.0);
    world.step();
    let before = momentum(&world);
    (0..3).for_each(|_| world.step());
    let (angles, after) = (angles(&world, &joints), momentum(&world));
    assert!(
        (0.85..0.91).contains(&angles[1]) && angles[0] > 0.2,
        "the second is at its stop and takes the first along: {angles:?} rad"
    );
    assert!((after / before - 1.0).abs() < 0.1, "{before} became {after} kg m2/s");
}

/// Two boxes on two floors share a chunk of the solver, one alone has it for itself.
#[test]
fn a_box_that_is_alone_slides_as_one_among_others() {
    let (mut one, mut other) = (world(), world());
    let boxes = [&mut one, &mut other].map(|world| {
        let floor = world.insert_body(settings::fixed_body(Pose::IDENTITY));
        world.insert_collider(cuboid([1.0, 1.0, 0.05]), Some(floor));
        let at = Pose::from_translation(Vec3::new(0.0, 0.0, 0.081));
        let body = world.insert_body(settings::free_body(at, weight(0.1)));
        world.insert_collider(cuboid([0.03; 3]), Some(body));
        world.bodies[body].set_linvel(Vec3::new(0.6, 0.2, 0.0), true);
        world.bodies[body].set_angvel(Vec3::new(0.0, 0.0, 3.0), true);
        body
    });
    let floor = other.insert_body(settings::fixed_body(Pose::from_translation(Vec3::new(9.0, 0.0, 0.0))));
    other.insert_collider(cuboid([1.0, 1.0, 0.05]), Some(floor));
    let at = Pose::from_translation(Vec3::new(9.0, 0.0, 0.081));
    let body = other.insert_body(settings::free_body(at, weight(0.1)));
    other.insert_collider(cuboid([0.03; 3]), Some(body));
    let (apart, way) = apart([&mut one, &mut other], [&[], &[]], boxes.map(Some), 60);
    assert!(way > 0.02, "it slid {way} m");
    assert!(apart < 1e-5, "they came {apart} m apart");
}
