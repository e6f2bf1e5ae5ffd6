//! What varies between worlds and during an episode
