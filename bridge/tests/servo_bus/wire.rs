//! Packets of Dynamixel protocol 2.0, as the servos see them. Written from ROBOTIS' manual, not from a library: it is
//! what the driver's library is tested against.

/// Every packet begins so.
const HEADER: [u8; 4] = [0xFF, 0xFF, 0xFD, 0x00];
/// Marks an answer.
const STATUS: u8 = 0x55;
/// The id that everybody listens to.
pub const BROADCAST: u8 = 0xFE;

/// CRC-16 with polynomial 0x8005, from zero, not reflected.
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let mixed = crc ^ (u16::from(*byte) << 8);
        (0..8).fold(mixed, |crc, _| if crc & 0x8000 != 0 { (crc << 1) ^ 0x8005 } else { crc << 1 })
    })
}

/// Adds FD after every FF FF FD, so that no body looks like a header.
pub fn stuff(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    for (at, byte) in body.iter().enumerate() {
        out.push(*byte);
        if at >= 2 && body[at - 2..=at] == [0xFF, 0xFF, 0xFD] {
            out.push(0xFD);
        }
    }
    out
}

/// Takes out what [`stuff`] put in.
pub fn unstuff(body: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(body.len());
    let mut skip = false;
    for byte in body {
        if skip && *byte == 0xFD {
            skip = false;
            continue;
        }
        out.push(*byte);
        skip = out.ends_with(&[0xFF, 0xFF, 0xFD]);
    }
    out
}

/// What came in on the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// Something to do.
    Instruction {
        /// For whom.
        id: u8,
        /// What.
        code: u8,
        /// With what.
        params: Vec<u8>,
    },
    /// A packet whose CRC is wrong.
    Broken {
        /// For whom it seemed to be.
        id: u8,
    },
}

/// Cuts a stream of bytes into packets.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
}

impl Reader {
    /// Takes in more of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole packet; what is no packet is skipped.
    pub fn next(&mut self) -> Option<Incoming> {
        let start = self.buffer.windows(HEADER.len()).position(|window| window == HEADER)?;
        self.buffer.drain(..start);
        if self.buffer.len() < 7 {
            return None;
        }
        let id = self.buffer[4];
        let length = usize::from(u16::from_le_bytes([self.buffer[5], self.buffer[6]]));
        let end = 7 + length;
        if length < 3 {
            self.buffer.drain(..HEADER.len());
            return self.next();
        }
        if self.buffer.len() < end {
            return None;
        }
        let packet: Vec<u8> = self.buffer.drain(..end).collect();
        let (content, crc) = packet.split_at(end - 2);
        if crc != crc16(content).to_le_bytes() {
            return Some(Incoming::Broken { id });
        }
        let body = unstuff(&content[7..]);
        Some(Incoming::Instruction { id, code: body[0], params: body[1..].to_vec() })
    }
}

fn packet(id: u8, body: &[u8]) -> Vec<u8> {
    let body = stuff(body);
    let length = u16::try_from(body.len() + 2).expect("bodies are short");
    let mut packet = HEADER.to_vec();
    packet.push(id);
    packet.extend(length.to_le_bytes());
    packet.extend(body);
    packet.extend(crc16(&packet).to_le_bytes());
    packet
}

/// The answer of one servo.
pub fn status(id: u8, error: u8, params: &[u8]) -> Vec<u8> {
    packet(id, &[&[STATUS, error], params].concat())
}

/// The answer of several servos in one packet, to a fast sync read: `(error, id, data)` each. Nothing in it is stuffed.
/// `asked`: how many were asked; the packet stops where one does not answer.
pub fn fast_status(blocks: &[(u8, u8, Vec<u8>)], asked: usize, data_length: usize) -> Vec<u8> {
    let length = u16::try_from(1 + asked * (data_length + 4)).expect("answers are short");
    let mut packet = HEADER.to_vec();
    packet.push(BROADCAST);
    packet.extend(length.to_le_bytes());
    packet.push(STATUS);
    for (error, id, data) in blocks {
        packet.extend([*error, *id]);
        packet.extend(data);
        packet.extend(crc16(&packet).to_le_bytes());
    }
    packet
}
