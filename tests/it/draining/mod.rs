//! A replica leaves a load balancer, and nobody is refused.

mod chart;
mod compose;
mod delay;
mod haproxy;
mod load;
