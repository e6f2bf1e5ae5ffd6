//! Channels of a log, and what their messages mean.

/// Topics.
pub mod topic {
    /// What the policy read: the actor's columns, not normalised.
    pub const OBS: &str = "/obs";
    /// What the network said.
    pub const ACTION_RAW: &str = "/action_raw";
    /// What the task's goal was.
    pub const GOAL: &str = "/goal";
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
    /// Where the policy was told that the object is.
    pub const POSE_USED: &str = "/pose_used";
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

/// A channel in JSON.
pub(super) struct JsonChannel {
    pub topic: &'static str,
    /// Name of its schema.
    pub schema: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Keys with their types: `i` integer, `f` float, `f*` array of floats, `s` text, `b` true or false, `o` object.
    pub keys: &'static [(&'static str, &'static str)],
}

/// Channels in JSON.
pub(super) const JSON_CHANNELS: [JsonChannel; 11] = [
    JsonChannel {
        topic: topic::POSE_USED,
        schema: "giraffe.PoseUsed",
        doc: "where the policy was told that the object is: of what a tracker says, what the client believed",
        keys: &[("p", "f*"), ("q_xyzw", "f*"), ("t_meas", "i")],
    },
    JsonChannel {
        topic: topic::OBS,
        schema: "giraffe.Observation",
        doc: "what the policy read: the actor's columns, not normalised; always finite",
        keys: &[("episode", "i"), ("step", "i"), ("state_seq", "i"), ("values", "f*")],
    },
    JsonChannel {
        topic: topic::ACTION_RAW,
        schema: "giraffe.Action",
        doc: "what the network said; null where it said no finite number",
        keys: &[("episode", "i"), ("step", "i"), ("state_seq", "i"), ("values", "f*")],
    },
    JsonChannel {
        topic: topic::GOAL,
        schema: "giraffe.Goal",
        doc: "what the task's goal was, by the names of its signals, and how old each was",
        keys: &[("stamp", "i"), ("episode", "i"), ("step", "i"), ("number", "i"), ("values", "o"), ("age_ns", "o")],
    },
    JsonChannel {
        topic: topic::CMD,
        schema: "giraffe.Command",
        doc: "targets sent, rad, order of the wire",
        keys: &[
            ("seq", "i"),
            ("sent", "b"),
            ("episode", "i"),
            ("tick", "i"),
            ("state_seq", "i"),
            ("t_state", "i"),
            ("q", "f*"),
        ],
    },
    JsonChannel {
        topic: topic::STATE,
        schema: "giraffe.State",
        doc: "a state as in PROTOCOL.md section 5",
        keys: &[
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
    },
    JsonChannel {
        topic: topic::APPLIED,
        schema: "giraffe.Applied",
        doc: "targets in force after the controller's envelope, rad, order of the wire; once for each command applied",
        keys: &[
            ("state_seq", "i"),
            ("cmd_seq", "i"),
            ("q_target", "f*"),
            ("clip", "i"),
            ("cmd_age_us", "i"),
            ("dt", "f"),
            ("q_seq", "i"),
        ],
    },
    JsonChannel {
        topic: topic::POSE,
        schema: "giraffe.Pose",
        doc: "a pose as in PROTOCOL.md section 5",
        keys: &[
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
            ("seen", "o"),
        ],
    },
    JsonChannel {
        topic: topic::EVENT,
        schema: "giraffe.Event",
        doc: "something that happened",
        keys: &[("kind", "s"), ("text", "s"), ("number", "i"), ("summary", "o")],
    },
    JsonChannel {
        topic: topic::NET,
        schema: "giraffe.Net",
        doc: "how the link does, counted since the connection",
        keys: &[
            ("sent", "i"),
            ("unsent", "i"),
            ("received", "i"),
            ("lost", "i"),
            ("gaps", "i"),
            ("ignored", "i"),
            ("stale", "i"),
            ("missed_ticks", "i"),
            ("applied", "i"),
            ("superseded", "i"),
            ("rejected", "i"),
            ("commands_lost", "i"),
            ("poses_rejected", "i"),
            ("ping_ns", "i"),
            ("clock_offset_ns", "i"),
            ("observed_to_applied_us", "o"),
            ("round_trip_us", "o"),
        ],
    },
    JsonChannel {
        topic: topic::CLOCK,
        schema: "giraffe.Clock",
        doc: "bounds of our monotonic clock minus the controller's, ns",
        keys: &[("controller_ns", "i"), ("local_ns", "i"), ("offset_at_most_ns", "i"), ("offset_at_least_ns", "i")],
    },
];

/// Channels that hold msgpack messages as they were sent.
pub(super) const RAW_CHANNELS: [&str; 4] = [topic::CMD_RAW, topic::STATE_RAW, topic::POSE_RAW, topic::IGNORED_RAW];

/// A JSON schema.
pub(super) fn json_schema(channel: &JsonChannel) -> String {
    let JsonChannel { schema: title, doc, keys, .. } = channel;
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
