//! Printed text cannot steer a terminal.
