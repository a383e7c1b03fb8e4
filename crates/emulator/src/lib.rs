//! The IntelliAuth platform on your machine.
