//! Printed results: terminals, pipes, columns, colours, exit status.
