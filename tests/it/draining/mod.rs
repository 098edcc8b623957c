//! A replica leaves a load balancer, and nobody is refused.

mod delay;
mod haproxy;
mod load;
