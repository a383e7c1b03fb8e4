//! Calls to APIs that nobody here wrote, and through gRPC: what they refuse is understood.

mod described;
mod grpc;
mod refused;
