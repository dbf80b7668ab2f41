//! Whatever is done with a tenant, in whatever order, it stays one that can be.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    AddDomain(u8),
    Arrive,
    BeginDeletion,
    BeginMove(TenantLayout),
    MakePrimary(u8),
    RemoveDomain(u8),
    Rename(u8),
    Resume,
    Suspend,
}

impl Step {
    fn of(self, tenant: &Tenant) -> Option<(Tenant, Fact)> {
        let host = |number: u8| HostName::parse(&format!("d{number}.example")).unwrap();
        match self {
            Self::AddDomain(number) => tenant.add_domain(host(number)),
            Self::Arrive => tenant.arrive(),
            Self::BeginDeletion => tenant.begin_deletion(),
            Self::BeginMove(to) => tenant.begin_move(to),
            Self::MakePrimary(number) => tenant.make_primary(&host(number)),
            Self::RemoveDomain(number) => tenant.remove_domain(&host(number)),
            Self::Rename(number) => tenant.rename(TenantName::restore(format!("Name {number}"))),
            Self::Resume => tenant.resume(),
            Self::Suspend => tenant.suspend(),
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let layout = prop::sample::select(&TenantLayout::ALL[..]);
    prop_oneof![
        (0..3_u8).prop_map(Step::AddDomain),
        Just(Step::Arrive),
        Just(Step::BeginDeletion),
        layout.prop_map(Step::BeginMove),
        (0..3_u8).prop_map(Step::MakePrimary),
        (0..3_u8).prop_map(Step::RemoveDomain),
        (0..3_u8).prop_map(Step::Rename),
        Just(Step::Resume),
        Just(Step::Suspend),
    ]
}

proptest! {
    #[test]
    fn whatever_is_done_a_tenant_stays_one_that_can_be(steps in prop::collection::vec(step(), 1..40)) {
        let now = Timestamp::from_secs(1);
        let name = TenantName::parse("Acme").unwrap();
        let schema = SchemaName::parse("acme").unwrap();
        let layout = TenantLayout::Schema;
        let (mut tenant, _) = Tenant::create(name, schema, layout, Id::new(now, [1; 10]), now);
        for step in steps {
            let Some((after, fact)) = step.of(&tenant) else {
                continue;
            };
            // Each change is one event, the next one, and no other than what it tells.
            prop_assert_eq!(fact.sequence, tenant.events + 1);
            prop_assert_eq!(after.events, fact.sequence);
            prop_assert_ne!(Tenant { events: tenant.events, ..after.clone() }, tenant.clone());
            // What a tenant is known by never changes.
            prop_assert_eq!((after.id, &after.schema), (tenant.id, &tenant.schema));
            prop_assert_eq!((after.created_at, after.version), (tenant.created_at, tenant.version));
            // Done twice, nothing is done.
            prop_assert!(step.of(&after).is_none(), "{:?}", step);
            let primary = after.domains.iter().filter(|domain| domain.primary).count();
            prop_assert_eq!(primary, usize::from(!after.domains.is_empty()));
            if tenant.status == TenantStatus::Deleting {
                prop_assert_eq!(after.status, TenantStatus::Deleting);
            }
            if after.status == TenantStatus::Deleting {
                prop_assert_eq!(after.moving_to, None);
            }
            // Data goes nowhere without having been on the way.
            if after.layout != tenant.layout {
                prop_assert_eq!(tenant.moving_to, Some(after.layout));
            }
            tenant = after;
        }
    }
}
