//! Signed webhooks: receivers verify them with the libraries of the specification.
