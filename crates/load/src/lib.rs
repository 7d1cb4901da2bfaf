//! The load generator behind `stepwell bench`: open loop and closed loop.
//!
//! It never knows which server it loads, beyond the two dialects it can speak.
