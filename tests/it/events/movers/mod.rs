//! Joiners, movers and leavers of both providers make exactly their events.
