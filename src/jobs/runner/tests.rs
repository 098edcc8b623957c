use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::*;

const LONG: Duration = Duration::from_hours(1);

/// Reports each tick, and returns one answer after the other.
struct Scripted {
    next: Vec<Next>,
    ticks: UnboundedSender<()>,
    notify: Arc<Notify>,
    notifies_itself: bool,
}

impl Job for Scripted {
    const NAME: &'static str = "scripted";

    fn wakes_on(&self) -> Option<Arc<Notify>> {
        Some(Arc::clone(&self.notify))
    }

    async fn tick(&mut self) -> Next {
        if std::mem::take(&mut self.notifies_itself) {
            self.notify.notify_one();
        }
        self.ticks.send(()).unwrap();
        if self.next.is_empty() {
            Next::Wait(LONG)
        } else {
            self.next.remove(0)
        }
    }
}

struct Scene {
    ticks: UnboundedReceiver<()>,
    notify: Arc<Notify>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

fn start(next: Vec<Next>, notifies_itself: bool) -> Scene {
    let (sender, ticks) = unbounded_channel();
    let (notify, stop, tasks) = (
        Arc::new(Notify::new()),
        CancellationToken::new(),
        TaskTracker::new(),
    );
    let runner = Runner::new(tasks.clone(), stop.clone());
    let made = Arc::clone(&notify);
    runner.start(move || Scripted {
        next: next.clone(),
        ticks: sender.clone(),
        notify: Arc::clone(&made),
        notifies_itself,
    });
    tasks.close();
    Scene {
        ticks,
        notify,
        stop,
        tasks,
    }
}

impl Scene {
    async fn ticks(&mut self, count: usize) {
        for _ in 0..count {
            timeout(Duration::from_secs(10), self.ticks.recv())
                .await
                .unwrap()
                .unwrap();
        }
    }

    async fn stop(mut self) {
        self.stop.cancel();
        timeout(Duration::from_secs(10), self.tasks.wait())
            .await
            .unwrap();
        assert!(self.ticks.try_recv().is_err(), "a tick too many");
    }
}

#[tokio::test]
async fn a_job_runs_again_at_once_if_it_asks_to() {
    let mut scene = start(vec![Next::Again, Next::Again], false);
    scene.ticks(3).await;
    scene.stop().await;
}

#[tokio::test]
async fn a_notification_ends_a_wait() {
    for next in [Next::Wait(LONG), Next::Poll(LONG)] {
        let mut scene = start(vec![next], false);
        scene.ticks(1).await;
        scene.notify.notify_one();
        scene.ticks(1).await;
        scene.stop().await;
    }
}

#[tokio::test]
async fn a_notification_during_a_tick_is_not_lost() {
    let mut scene = start(vec![Next::Wait(LONG)], true);
    scene.ticks(2).await;
    scene.stop.cancel();
    scene.tasks.wait().await;
}

#[tokio::test]
async fn a_notification_does_not_end_a_pause() {
    let pause = Duration::from_millis(100);
    let mut scene = start(vec![Next::Pause(pause)], false);
    scene.ticks(1).await;
    let paused = Instant::now();
    scene.notify.notify_one();
    scene.ticks(1).await;
    // The job may have begun its pause shortly before the clock here was read.
    assert!(paused.elapsed() > pause / 2);
    scene.stop.cancel();
    scene.tasks.wait().await;
}

struct Panicking(Arc<AtomicUsize>);

impl Job for Panicking {
    const NAME: &'static str = "panicking";

    async fn tick(&mut self) -> Next {
        let starts = self.0.fetch_add(1, Ordering::Relaxed);
        assert!(starts > 0, "the first start fails");
        Next::Wait(LONG)
    }
}

#[tokio::test]
async fn a_job_starts_again_after_a_panic() {
    let (tasks, stop, starts) = (
        TaskTracker::new(),
        CancellationToken::new(),
        Arc::new(AtomicUsize::new(0)),
    );
    let counted = Arc::clone(&starts);
    Runner::new(tasks.clone(), stop.clone()).start(move || Panicking(Arc::clone(&counted)));
    tasks.close();
    let restarted = async {
        while starts.load(Ordering::Relaxed) < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), restarted).await.unwrap();
    stop.cancel();
    timeout(Duration::from_secs(10), tasks.wait())
        .await
        .unwrap();
}

struct Endless<const DROPPED: bool>(UnboundedSender<()>);

impl<const DROPPED: bool> Job for Endless<DROPPED> {
    const NAME: &'static str = "endless";
    const DROP_ON_STOP: bool = DROPPED;

    async fn tick(&mut self) -> Next {
        self.0.send(()).unwrap();
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_stop_drops_a_tick_only_where_allowed() {
    let (sender, mut ticks) = unbounded_channel();
    let stop = CancellationToken::new();
    let dropped = run(Endless::<true>(sender.clone()), &stop);
    let kept = run(Endless::<false>(sender), &stop);
    let stopping = async {
        ticks.recv().await.unwrap();
        ticks.recv().await.unwrap();
        stop.cancel();
    };
    let kept = timeout(Duration::from_millis(200), kept);
    let ((), kept, ()) = tokio::join!(dropped, kept, stopping);
    assert!(kept.is_err(), "a tick was dropped");
}
