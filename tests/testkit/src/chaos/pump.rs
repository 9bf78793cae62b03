//! One proxied connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

use super::frames::Counter;
use super::{Cut, Direction, End, Mode, Setting, Shared};

const CHUNK_BYTES: usize = 16 * 1024;

/// Why one direction of a connection stopped.
enum Stop {
    /// The sender closed; the other direction may go on.
    Closed,
    /// The connection failed, or a cut ends it.
    Reset,
    /// A cut closes it in an orderly way.
    Finish,
    /// A cut lets it hang.
    Hang,
}

pub(super) async fn connection(mut client: TcpStream, mut server: TcpStream, shared: Arc<Shared>) {
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let mut closed = shared.close.subscribe();
    let stop = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let mut upward = std::pin::pin!(pump(from_client, to_server, Direction::ToServer, &shared));
        let mut downward =
            std::pin::pin!(pump(from_server, to_client, Direction::ToClient, &shared));
        let first = tokio::select! {
            stop = &mut upward => (stop, Direction::ToServer),
            stop = &mut downward => (stop, Direction::ToClient),
            _ = closed.recv() => (Stop::Reset, Direction::ToClient),
        };
        match first {
            (Stop::Closed, Direction::ToServer) => tokio::select! {
                stop = downward => stop,
                _ = closed.recv() => Stop::Reset,
            },
            (Stop::Closed, Direction::ToClient) => tokio::select! {
                stop = upward => stop,
                _ = closed.recv() => Stop::Reset,
            },
            (stop @ (Stop::Reset | Stop::Finish | Stop::Hang), _) => stop,
        }
    };
    match stop {
        Stop::Reset => {
            reset(&client);
            reset(&server);
        }
        Stop::Hang => {
            let _ = closed.recv().await;
            reset(&client);
            reset(&server);
        }
        Stop::Closed | Stop::Finish => {
            let _ = client.shutdown().await;
            let _ = server.shutdown().await;
        }
    }
}

/// Makes the end of the connection a reset instead of an orderly close.
pub(super) fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    direction: Direction,
    shared: &Shared,
) -> Stop {
    let mut mode = shared.mode.subscribe();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut cut = Watched::default();
    loop {
        let read = match from.read(&mut chunk).await {
            Ok(0) => {
                let _ = to.shutdown().await;
                return Stop::Closed;
            }
            Ok(read) => read,
            Err(_) => return Stop::Reset,
        };
        let data = chunk.get(..read).unwrap_or_default();
        let setting = passing(&mut mode).await;
        if let Mode::Delay(pause) = setting.mode {
            tokio::time::sleep(pause).await;
        }
        let stop = cut.feed(setting, direction, data);
        let passed = stop.map_or(data, |(at, _)| data.get(..at).unwrap_or(data));
        if to.write_all(passed).await.is_err() {
            return Stop::Reset;
        }
        shared.count(direction, passed.len() as u64);
        if let Some((_, cut)) = stop {
            shared.cuts.fetch_add(1, Ordering::SeqCst);
            if cut.once {
                shared.set(Mode::Pass);
            }
            match cut.end {
                End::Reset => return Stop::Reset,
                End::Close => return Stop::Finish,
                End::Hang => return Stop::Hang,
            }
        }
    }
}

/// The setting, once it isn't a black hole.
async fn passing(mode: &mut watch::Receiver<Setting>) -> Setting {
    loop {
        let setting = *mode.borrow_and_update();
        if setting.mode != Mode::Blackhole {
            return setting;
        }
        if mode.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The count of the cut that is set now.
#[derive(Default)]
struct Watched {
    counting: Option<(u64, Counter)>,
}

impl Watched {
    /// Where in `data` the connection is to be cut, if there.
    fn feed(
        &mut self,
        setting: Setting,
        direction: Direction,
        data: &[u8],
    ) -> Option<(usize, Cut)> {
        let Mode::Cut(cut) = setting.mode else {
            self.counting = None;
            return None;
        };
        if cut.direction != direction {
            return None;
        }
        let (number, counter) = self
            .counting
            .get_or_insert_with(|| (setting.number, Counter::new(cut.unit, cut.after)));
        if *number != setting.number {
            *number = setting.number;
            *counter = Counter::new(cut.unit, cut.after);
        }
        counter.feed(data).map(|at| (at, cut))
    }
}
