//! giraffe
