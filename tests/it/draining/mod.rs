//! A replica leaves a load balancer, and nobody is refused.
