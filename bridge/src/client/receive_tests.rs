//! Taking in what comes, where it never ends.

use super::admission::Admission;
use super::link::{LEAST_AT_A_TIME, Link};
use crate::clock::Clock;
use crate::security::{ClientSecurity, ServerSecurity};
use crate::transport::{ClientSockets, Endpoints, ServerSockets};
use giraffe_robots::Nanos;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// A clock on which a second passes whenever somebody looks at it.
#[derive(Default)]
struct Hasty(AtomicI64);

impl Clock for Hasty {
    fn now(&self) -> Nanos {
        Nanos(self.0.fetch_add(1_000_000_000, Ordering::Relaxed))
    }

    fn sleep_until(&self, _: Nanos) {}
}

#[test]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
fn taking_in_poses_ends_when_its_time_is_up_and_goes_on_with_the_rest() {
    let path = std::env::temp_dir().join(format!("giraffe-receive-{}", std::process::id()));
    let base = format!("ipc://{}", path.display());
    let endpoints = Endpoints::parse(&base, false).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(Hasty::default());
    let mut controller = ServerSockets::bind(&endpoints, &ServerSecurity::LocalOnly, true, &clock).unwrap();
    let sockets = ClientSockets::connect(&endpoints, &ClientSecurity::LocalOnly).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut link = Link::new(&base, sockets, Admission::new(false), clock, stop, 3, false);
    // Three times as many as are taken in at least; what comes before there is a connection is lost.
    for _ in 0..3 * LEAST_AT_A_TIME {
        controller.publish_pose(b"no pose");
        std::thread::sleep(Duration::from_millis(1));
    }
    let least = LEAST_AT_A_TIME as u64;
    link.receive();
    assert_eq!(link.report.poses_rejected, least, "no more than that: the time is up");
    link.receive();
    assert!(link.report.poses_rejected > least, "the rest waits for the next time");
    for socket in ["ctl", "cmd", "state", "pose"] {
        let _ = std::fs::remove_file(format!("{}-{socket}", path.display()));
    }
}
