//! Dead sessions of all tenants are removed, live ones stay.

use crate::world::{PASSWORD, World};

#[tokio::test]
async fn what_gives_nothing_any_more_is_removed_in_every_tenant() {
    let world = World::new().await;
    let acme = world.create_tenant("Acme", &["acme.example"]).await;
    let grace = world
        .create_user(&acme, "grace@acme.example", "grace")
        .await;
    world
        .try_log_in("grace@acme.example", PASSWORD)
        .await
        .unwrap();
    world.tessera.disable_user(&acme, grace.id).await.unwrap();
    let over = world.log_in().await;
    world.wait(29 * 24 * 60 * 60);
    let kept = world.log_in().await;
    let ended = world.log_in().await;
    world.log_out(Some(&ended), None).await.unwrap();
    world.wait(24 * 60 * 60);

    let (removed, done) = world.watch(world.tessera.prune()).await;
    assert_eq!(removed.unwrap(), 3);
    assert!(done.events.is_empty());
    assert_eq!(world.stored(over.session.id).await, None);
    world.refresh(&kept).await.unwrap();
    assert_eq!(world.tessera.prune().await.unwrap(), 0);
}

#[tokio::test]
async fn a_tenant_that_cannot_be_pruned_spares_no_other() {
    // By their schemas, one of them comes before the default one.
    for name in ["Acme", "Zeta"] {
        let world = World::new().await;
        let broken = world.create_tenant(name, &[]).await;
        let over = world.log_in().await;
        world.wait(31 * 24 * 60 * 60);
        world.store.break_tenant(Some(broken.id));
        world.tessera.prune().await.unwrap_err();
        assert_eq!(world.stored(over.session.id).await, None, "{name}");
    }
}

#[tokio::test]
async fn more_than_one_batch_is_removed() {
    let world = World::new().await;
    world.add_sessions(2_500).await;
    world.wait(31 * 24 * 60 * 60);
    assert_eq!(world.tessera.prune().await.unwrap(), 2_500);
}
