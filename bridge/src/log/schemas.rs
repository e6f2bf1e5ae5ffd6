//! Channels of a log, and what their messages mean.

/// Topics.
pub mod topic {
    /// What the policy read: the actor's columns, not normalised.
    pub const OBS: &str = "/obs";
    /// What the network said.
    pub const ACTION_RAW: &str = "/action_raw";
    /// Targets sent.
    pub const CMD: &str = "/cmd";
    /// The same, as the bytes that were sent.
    pub const CMD_RAW: &str = "/cmd_raw";
    /// States of our session.
    pub const STATE: &str = "/state";
    /// The same, as the bytes that came.
    pub const STATE_RAW: &str = "/state_raw";
    /// Targets in force, once for each command that was applied.
    pub const APPLIED: &str = "/applied";
    /// Where the object is.
    pub const POSE: &str = "/pose";
    /// The same, as the bytes that came.
    pub const POSE_RAW: &str = "/pose_raw";
    /// States that were dropped, as the bytes that came.
    pub const IGNORED_RAW: &str = "/ignored_raw";
    /// What happened.
    pub const EVENT: &str = "/event";
    /// How the link does.
    pub const NET: &str = "/net";
    /// Where the controller's clock is.
    pub const CLOCK: &str = "/clock";
    /// Measured angles, for ROS 2.
    pub const JOINT_STATES: &str = "/joint_states";
    /// Targets sent, for ROS 2.
    pub const JOINT_COMMAND: &str = "/joint_command";
}

/// Channels in JSON: topic, name of the schema, one sentence, and its keys with their types. The types: `i` integer,
/// `f` float, `f*` array of floats, `s` text, `b` true or false, `o` object.
pub(super) const JSON_CHANNELS: [(&str, &str, &str, &[(&str, &str)]); 9] = [
    (
        topic::OBS,
        "giraffe.Observation",
        "what the policy read: the actor's columns, not normalised; always finite",
        &[("episode", "i"), ("step", "i"), ("state_seq", "i"), ("values", "f*")],
    ),
    (
        topic::ACTION_RAW,
        "giraffe.Action",
        "what the network said; null where it said no finite number",
        &[("episode", "i"), ("step", "i"), ("state_seq", "i"), ("values", "f*")],
    ),
    (
        topic::CMD,
        "giraffe.Command",
        "targets sent, rad, order of the wire",
        &[
            ("seq", "i"),
            ("sent", "b"),
            ("episode", "i"),
            ("tick", "i"),
            ("state_seq", "i"),
            ("t_state", "i"),
            ("q", "f*"),
        ],
    ),
    (
        topic::STATE,
        "giraffe.State",
        "a state as in PROTOCOL.md section 5",
        &[
            ("seq", "i"),
            ("ts", "i"),
            ("sid", "i"),
            ("episode", "i"),
            ("tick", "i"),
            ("t_meas", "i"),
            ("q", "f*"),
            ("dq", "f*"),
            ("q_target", "f*"),
            ("cmd_seq", "i"),
            ("cmd_age_us", "i"),
            ("clip", "i"),
            ("mode", "s"),
            ("fault", "i"),
            ("why", "s"),
            ("rx_stale", "i"),
            ("rx_bad", "i"),
            ("overruns", "i"),
        ],
    ),
    (
        topic::APPLIED,
        "giraffe.Applied",
        "targets in force after the controller's envelope, rad, order of the wire; once for each command applied",
        &[
            ("state_seq", "i"),
            ("cmd_seq", "i"),
            ("q_target", "f*"),
            ("clip", "i"),
            ("cmd_age_us", "i"),
            ("dt", "f"),
            ("q_seq", "i"),
        ],
    ),
    (
        topic::POSE,
        "giraffe.Pose",
        "a pose as in PROTOCOL.md section 5",
        &[
            ("seq", "i"),
            ("ts", "i"),
            ("sid", "i"),
            ("episode", "i"),
            ("tick", "i"),
            ("t_meas", "i"),
            ("object", "s"),
            ("frame", "s"),
            ("p", "f*"),
            ("q_xyzw", "f*"),
            ("valid", "b"),
            ("truth", "b"),
        ],
    ),
    (topic::EVENT, "giraffe.Event", "something that happened", &[("kind", "s"), ("text", "s"), ("number", "i")]),
    (
        topic::NET,
        "giraffe.Net",
        "how the link does, counted since the connection",
        &[
            ("sent", "i"),
            ("unsent", "i"),
            ("received", "i"),
            ("lost", "i"),
            ("gaps", "i"),
            ("ignored", "i"),
            ("stale", "i"),
            ("missed_ticks", "i"),
            ("observed_to_applied_us", "o"),
            ("round_trip_us", "o"),
        ],
    ),
    (
        topic::CLOCK,
        "giraffe.Clock",
        "bounds of our monotonic clock minus the controller's, ns",
        &[("controller_ns", "i"), ("local_ns", "i"), ("offset_at_most_ns", "i"), ("offset_at_least_ns", "i")],
    ),
];

/// Channels that hold msgpack messages as they were sent.
pub(super) const RAW_CHANNELS: [&str; 4] = [topic::CMD_RAW, topic::STATE_RAW, topic::POSE_RAW, topic::IGNORED_RAW];

/// A JSON schema.
pub(super) fn json_schema(title: &str, doc: &str, keys: &[(&str, &str)]) -> String {
    let property = |(key, kind): &(&str, &str)| {
        let kind = match *kind {
            "i" => r#"{"type":"integer"}"#,
            "f" => r#"{"type":"number"}"#,
            "f*" => r#"{"type":"array","items":{"type":["number","null"]}}"#,
            "b" => r#"{"type":"boolean"}"#,
            "o" => r#"{"type":"object"}"#,
            _ => r#"{"type":"string"}"#,
        };
        format!("\"{key}\":{kind}")
    };
    let properties: Vec<String> = keys.iter().map(property).collect();
    let properties = properties.join(",");
    format!(r#"{{"title":"{title}","description":"{doc}","type":"object","properties":{{{properties}}}}}"#)
}
