//! Calls to APIs of other authors, and through gRPC: what they refuse is understood.

mod described;
mod grpc;
mod refused;
