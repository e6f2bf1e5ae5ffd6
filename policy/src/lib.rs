//! The networks, the rollouts, PPO, checkpoints, and running a policy
