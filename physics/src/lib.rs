//! One simulated hand, and many of them in parallel
