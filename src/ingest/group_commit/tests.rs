//! The parts that need no database: the queue, the memory budget, and a flusher that panics.

use secrecy::SecretString;

use super::queue::BatchLimit;
use super::*;
use leaver_core::domain::SourceName;
use leaver_core::signature::{Key, Scheme};

const ANY: BatchLimit = BatchLimit {
    rows: 10,
    bytes: 1_000,
};

type Completed = oneshot::Receiver<Result<Receipt, StoreError>>;

fn pending(body: &str) -> (PendingInsert, Completed) {
    let key = Key::new(&SecretString::from("key")).unwrap();
    let scheme = Scheme::Merge { keys: vec![key] };
    let source = SourceName::parse("merge").unwrap();
    let now = DateTime::UNIX_EPOCH;
    let headers = scheme.sign(body.as_bytes(), now).into_iter().collect();
    let delivery = scheme.verify(&source, &headers, body.to_owned().into(), now);
    let (result, completed) = oneshot::channel();
    let pending = PendingInsert {
        arrival: NewArrival {
            id: DeliveryId(Uuid::now_v7()),
            delivery: delivery.unwrap(),
            received_at: now,
        },
        deadline: Instant::now() + Duration::from_mins(1),
        result,
        reservation: MemoryBudget::new(1).reserve(),
    };
    (pending, completed)
}

fn queue_of(bodies: &[&str]) -> (Arc<Queue>, Vec<Completed>) {
    let queue = Arc::new(Queue::with_capacity(bodies.len()));
    let push = |body: &&str| {
        let (pending, completed) = pending(body);
        queue.push(pending);
        completed
    };
    let completed = bodies.iter().map(push).collect();
    (queue, completed)
}

#[tokio::test]
async fn a_panicking_flusher_fails_only_its_batch() {
    let (queue, completed) = queue_of(&["panic", "one", "two"]);
    queue.close();
    let run = || {
        let queue = Arc::clone(&queue);
        async move {
            while let Some(batch) = queue.take(BatchLimit { rows: 1, ..ANY }).await {
                for pending in batch {
                    let body = pending.arrival.delivery.body();
                    assert!(body != "panic", "as the test wants");
                    let (id, duplicate) = (pending.arrival.id, false);
                    pending.complete(Ok(Receipt { id, duplicate }));
                }
            }
        }
    };
    supervise(run).await;
    let mut stored = vec![];
    for completed in completed {
        stored.push(completed.await.is_ok());
    }
    assert_eq!(stored, [false, true, true]);
}

#[tokio::test]
async fn a_batch_ends_at_its_limit_of_rows_or_bytes() {
    let large = "x".repeat(600);
    let (queue, _completed) = queue_of(&["a", "b", "c", &large, &large, "d"]);
    let mut sizes = vec![];
    for limit in [BatchLimit { rows: 2, ..ANY }, ANY, ANY] {
        sizes.push(queue.take(limit).await.unwrap().len());
    }
    assert_eq!(sizes, [2, 3, 1]);
}

#[tokio::test]
async fn a_consumer_wakes_the_next_while_work_is_left() {
    let queue = Arc::new(Queue::with_capacity(4));
    let consumer = || {
        let queue = Arc::clone(&queue);
        tokio::spawn(async move {
            queue
                .take(BatchLimit { rows: 2, ..ANY })
                .await
                .unwrap()
                .len()
        })
    };
    let consumers = [consumer(), consumer()];
    tokio::task::yield_now().await;
    for body in ["a", "b", "c", "d"] {
        queue.push(pending(body).0);
    }
    for consumer in consumers {
        assert_eq!(consumer.await.unwrap(), 2);
    }
}

#[tokio::test]
async fn a_full_or_closed_queue_refuses_and_is_emptied() {
    let (queue, _completed) = queue_of(&["a", "b"]);
    assert_refused(&queue).await;
    queue.close();
    assert_eq!(queue.take(ANY).await.unwrap().len(), 2);
    assert_refused(&queue).await;
    for _ in 0..3 {
        assert!(queue.take(ANY).await.is_none());
    }
}

async fn assert_refused(queue: &Queue) {
    let (pending, completed) = pending("one more");
    queue.push(pending);
    assert_eq!(completed.await.unwrap(), Err(StoreError::Full));
}

#[test]
fn a_dropped_reservation_frees_its_memory() {
    let budget = MemoryBudget::new(10);
    let mut first = budget.reserve();
    assert!(first.try_grow(4, 0) && first.try_grow(3, 0));
    assert!(budget.has_capacity(3) && !budget.has_capacity(4));
    let mut second = budget.reserve();
    assert!(!second.try_grow(4, 0) && second.try_grow(3, 0) && !first.try_grow(1, 0));
    drop(first);
    assert!(second.try_grow(7, 0) && !budget.has_capacity(1));
}

#[tokio::test]
async fn unknown_clients_leave_memory_free_for_known_ones() {
    let budget = MemoryBudget::new(10);
    let (mut unknown, mut known) = (budget.reserve(), budget.reserve());
    assert!(unknown.try_grow(7, 3) && !unknown.try_grow(1, 3));
    let freed = budget.freed();
    assert!(known.try_grow(3, 0) && !known.try_grow(1, 0));
    drop(unknown);
    freed.await;
    assert!(known.try_grow(7, 0));
}
