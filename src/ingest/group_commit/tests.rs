//! The parts that need no database: the queue, the memory, and what a bug in a flusher leaves.

use secrecy::SecretString;

use super::queue::BatchLimit;
use super::*;
use leaver_core::domain::SourceName;
use leaver_core::signature::{Key, Scheme};

const ANY: BatchLimit = BatchLimit {
    rows: 10,
    bytes: 1_000,
};

type Answered = oneshot::Receiver<Result<Receipt, StoreError>>;

fn waiting(body: &str) -> (PendingInsert, Answered) {
    let key = Key::new(&SecretString::from("key")).unwrap();
    let scheme = Scheme::Merge { keys: vec![key] };
    let source = SourceName::parse("merge").unwrap();
    let now = DateTime::UNIX_EPOCH;
    let headers = scheme.sign(body.as_bytes(), now).into_iter().collect();
    let delivery = scheme.verify(&source, &headers, body.to_owned().into(), now);
    let (answer, answered) = oneshot::channel();
    let waiting = PendingInsert {
        arrival: NewArrival {
            id: DeliveryId(Uuid::now_v7()),
            delivery: delivery.unwrap(),
            received_at: now,
        },
        deadline: Instant::now() + Duration::from_mins(1),
        answer,
        reservation: MemoryBudget::new(1).reserve(),
    };
    (waiting, answered)
}

fn queue_of(bodies: &[&str]) -> (Arc<Queue>, Vec<Answered>) {
    let queue = Arc::new(Queue::with_room_for(bodies.len()));
    let push = |body: &&str| {
        let (waiting, answered) = waiting(body);
        queue.push(waiting);
        answered
    };
    let answered = bodies.iter().map(push).collect();
    (queue, answered)
}

#[tokio::test]
async fn a_bug_that_ends_a_flusher_costs_its_batch_a_503_and_nobody_else_anything() {
    let (queue, answered) = queue_of(&["panic", "one", "two"]);
    queue.close();
    let run = || {
        let queue = Arc::clone(&queue);
        async move {
            while let Some(batch) = queue.take(BatchLimit { rows: 1, ..ANY }).await {
                for waiting in batch {
                    let body = waiting.arrival.delivery.body();
                    assert!(body != "panic", "as the test wants");
                    let (id, duplicate) = (waiting.arrival.id, false);
                    waiting.complete(Ok(Receipt { id, duplicate }));
                }
            }
        }
    };
    supervise(run).await;
    let mut stored = vec![];
    for answered in answered {
        stored.push(answered.await.is_ok());
    }
    assert_eq!(stored, [false, true, true]);
}

#[tokio::test]
async fn a_batch_ends_at_its_rows_or_with_the_body_that_passes_its_bytes() {
    let large = "x".repeat(600);
    let (queue, _answered) = queue_of(&["a", "b", "c", &large, &large, "d"]);
    let mut sizes = vec![];
    for limit in [BatchLimit { rows: 2, ..ANY }, ANY, ANY] {
        sizes.push(queue.take(limit).await.unwrap().len());
    }
    assert_eq!(sizes, [2, 3, 1]);
}

#[tokio::test]
async fn what_one_taker_leaves_another_is_woken_for() {
    let queue = Arc::new(Queue::with_room_for(4));
    let taker = || {
        let queue = Arc::clone(&queue);
        tokio::spawn(async move {
            queue
                .take(BatchLimit { rows: 2, ..ANY })
                .await
                .unwrap()
                .len()
        })
    };
    let takers = [taker(), taker()];
    tokio::task::yield_now().await;
    for body in ["a", "b", "c", "d"] {
        queue.push(waiting(body).0);
    }
    for taker in takers {
        assert_eq!(taker.await.unwrap(), 2);
    }
}

#[tokio::test]
async fn a_full_or_closed_queue_gives_back_and_a_closed_one_is_emptied() {
    let (queue, _answered) = queue_of(&["a", "b"]);
    assert_refused(&queue).await;
    queue.close();
    assert_eq!(queue.take(ANY).await.unwrap().len(), 2);
    assert_refused(&queue).await;
    for _ in 0..3 {
        assert!(queue.take(ANY).await.is_none());
    }
}

async fn assert_refused(queue: &Queue) {
    let (waiting, answered) = waiting("one more");
    queue.push(waiting);
    assert_eq!(answered.await.unwrap(), Err(StoreError::Full));
}

#[test]
fn memory_is_free_again_when_it_is_let_go() {
    let budget = MemoryBudget::new(10);
    let mut first = budget.reserve();
    assert!(
        first.try_grow(4) && first.try_grow(3) && budget.has_capacity(3) && !budget.has_capacity(4)
    );
    let mut second = budget.reserve();
    assert!(!second.try_grow(4) && second.try_grow(3) && !first.try_grow(1));
    drop(first);
    assert!(second.try_grow(7) && !budget.has_capacity(1));
}
