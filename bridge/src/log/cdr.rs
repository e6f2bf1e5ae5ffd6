//! ROS 2's `sensor_msgs/msg/JointState` as bytes: XCDR1, little endian, by hand. Every number is aligned to its own size,
//! counted from the end of the four bytes that say which encoding it is.

/// Name of the type in ROS 2.
pub(super) const JOINT_STATE: &str = "sensor_msgs/msg/JointState";

/// Its definition with those it needs, as `ros2msg` schemas are written.
pub(super) const JOINT_STATE_DEFINITION: &str = "\
std_msgs/Header header
string[] name
float64[] position
float64[] velocity
float64[] effort
================================================================================
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
================================================================================
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
";

/// Encoding of the bytes that follow: plain CDR, little endian, no options.
const HEADER: [u8; 4] = [0x00, 0x01, 0x00, 0x00];

/// Where joints are, or are to be.
#[derive(Debug, Clone, Copy)]
pub struct JointState<'m> {
    /// When, ns since 1970.
    pub stamp_ns: u64,
    /// Names of the joints.
    pub names: &'m [String],
    /// Angles, rad.
    pub positions_rad: &'m [f32],
    /// Angular velocities, rad/s; may be empty.
    pub velocities_rad_per_sec: &'m [f32],
}

impl JointState<'_> {
    /// The message. Effort is left empty; floats become doubles, which hold them exactly.
    pub fn to_cdr(&self) -> Vec<u8> {
        let mut out = Cdr(HEADER.to_vec());
        // Seconds are signed 32 bit: until 2038.
        out.u32((self.stamp_ns / 1_000_000_000) as u32);
        out.u32((self.stamp_ns % 1_000_000_000) as u32);
        out.string("");
        out.u32(self.names.len() as u32);
        self.names.iter().for_each(|name| out.string(name));
        out.doubles(self.positions_rad);
        out.doubles(self.velocities_rad_per_sec);
        out.doubles(&[]);
        out.0
    }
}

struct Cdr(Vec<u8>);

impl Cdr {
    fn align(&mut self, to: usize) {
        let length = self.0.len() - HEADER.len();
        self.0.resize(HEADER.len() + length.next_multiple_of(to), 0);
    }

    fn u32(&mut self, value: u32) {
        self.align(4);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Length with the zero at the end, then both.
    fn string(&mut self, text: &str) {
        self.u32(text.len() as u32 + 1);
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
    }

    fn doubles(&mut self, values: &[f32]) {
        self.u32(values.len() as u32);
        for value in values {
            self.align(8);
            self.0.extend_from_slice(&f64::from(*value).to_le_bytes());
        }
    }
}
