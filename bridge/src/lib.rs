//! Safe exchange with a real hand over ZeroMQ
