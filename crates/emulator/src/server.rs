//! The thread that serves, with a runtime of its own.

use std::future::poll_fn;
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::pipeline::Pipeline;

/// A running server. Dropping it closes the listener and every connection before it returns.
#[derive(Debug)]
pub(crate) struct Server {
    stop: Option<oneshot::Sender<()>>,
    stopped: Option<oneshot::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a thread that first prepares what it serves and then serves it.
    ///
    /// `prepare` may take long (it makes keys), so it runs there and not on the caller's runtime.
    /// What it returns beside the pipeline comes back once requests are answered.
    pub(crate) fn spawn<T, E>(
        listener: TcpListener,
        prepare: impl FnOnce() -> Result<(Pipeline, T), E> + Send + 'static,
    ) -> io::Result<(Self, oneshot::Receiver<Result<T, E>>)>
    where
        T: Send + 'static,
        E: From<io::Error> + Send + 'static,
    {
        let (stop, stop_asked) = oneshot::channel();
        let (ready, is_ready) = oneshot::channel();
        let (done, stopped) = oneshot::channel();
        let serve = move || {
            match prepare().and_then(|prepared| Ok((prepared, runtime()?))) {
                Ok(((pipeline, prepared), runtime)) => {
                    if ready.send(Ok(prepared)).is_ok() {
                        run(&runtime, listener, &pipeline, stop_asked);
                    }
                }
                Err(error) => drop(ready.send(Err(error))),
            }
            // Here the runtime is gone, and every connection with it.
            drop::<oneshot::Sender<()>>(done);
        };
        let thread = thread::Builder::new()
            .name(THREAD.to_owned())
            .spawn(serve)?;
        let server = Self {
            stop: Some(stop),
            stopped: Some(stopped),
            thread: Some(thread),
        };
        Ok((server, is_ready))
    }

    /// Stops without blocking the caller's runtime.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        if let Some(stopped) = self.stopped.take() {
            // The error is expected: the thread dropped its end of the channel.
            let _ = stopped.await;
        }
    }

    /// Waits until the server stops by itself, which is never while this is held.
    pub(crate) async fn wait(&mut self) {
        if let Some(stopped) = &mut self.stopped {
            let _ = stopped.await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It ends at its next await, within milliseconds, so that the port is free afterwards.
            let _ = thread.join();
        }
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn run(
    runtime: &Runtime,
    listener: TcpListener,
    pipeline: &Pipeline,
    stop_asked: oneshot::Receiver<()>,
) {
    runtime.block_on(async {
        let mut accepting = pin!(accept_all(listener, pipeline));
        let mut stop_asked = pin!(stop_asked);
        poll_fn(|cx| {
            if stop_asked.as_mut().poll(cx).is_ready() {
                return std::task::Poll::Ready(());
            }
            accepting.as_mut().poll(cx)
        })
        .await;
    });
}

async fn accept_all(listener: TcpListener, pipeline: &Pipeline) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    loop {
        match listener.accept().await {
            Ok((stream, _peer)) => {
                tokio::spawn(serve(stream, pipeline.clone()));
            }
            // Out of file handles, or the peer is gone already: others may still come.
            Err(_refused) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Serves one connection. A request that fails closes it without a reply.
async fn serve(stream: TcpStream, pipeline: Pipeline) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        pipeline.clone().serve(request.map(Body::new))
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new());
    // A connection that ends in an error was dropped on purpose, or by the client.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

const THREAD: &str = "intelliauth-emu";

/// Long enough not to spin while the process is out of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
