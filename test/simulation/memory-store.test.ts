import { systemClock } from '../../core/clock.ts'
import { describeLedger } from '../conformance/ledger.ts'
import { openMemoryLedger } from './memory-ledger.ts'
import { MemoryStore } from './memory-store.ts'

describeLedger("the simulation's ledger", async () => {
  const store = new MemoryStore({ now: () => Date.now() })
  const shared = { tenant: 'shop', channel: 'email', channelType: 'email', recipient: 'user:ada' } as const
  return {
    open: (workerId) => openMemoryLedger(store, workerId, async (_name, effect) => effect(), systemClock),
    async queue(id) {
      const request = {
        id,
        body_hash: '',
        tenant: 'shop',
        to: [],
        channels: [],
        data: {},
        metadata: {},
        accepted_at: '',
      }
      const result = { kind: 'send', topic: '', envelope: undefined as never } as const
      const delivery = { ...shared, id, userId: 'ada', expiresAt: undefined, result }
      store.record([{ request, traceparent: undefined, deliveries: [delivery] }])
    },
    async expireLease(id) {
      store.deliveries.get(id)!.lease_until = new Date(Date.now() - 1)
    },
    statusOf: async (id) => store.deliveries.get(id)?.status,
    attemptsOf: async (id) =>
      store.attempts
        .filter((row) => row.delivery_id === id)
        .map(({ attempt, claim, owner, outcome }) => ({ attempt, claim, owner, outcome }))
        .toSorted((left, right) => left.attempt - right.attempt || left.claim - right.claim),
    heldOf: async (id) => store.held.get(id)?.value?.toString(),
    close: async () => {},
  }
})
