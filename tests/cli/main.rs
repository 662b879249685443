//! The real binary, called as people call it: usage, help, exit codes, and what goes to stdout and to stderr.

mod binary;
mod check;
mod checkpoints;
mod config;
mod demo;
mod explain;
mod help;
mod hostile;
mod init;
mod preview;
mod report;
mod report_topic;
mod verify;
