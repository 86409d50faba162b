import { createBatcher } from '../../core/store/batcher.ts'
import type { HeldStore } from '../../core/store/held-records.ts'
import type { ClaimRequest, Finished, FinishEntry, Ledger } from '../../workers/delivery/ledger/ledger.ts'
import type { PlannerStore } from '../../workers/planner/store.ts'
import type { MemoryStore } from './memory-store.ts'

/** A round trip to the store: what takes time, and what a crash cuts. */
export type Call = <T>(name: string, effect: () => T | Promise<T>) => Promise<T>

/** The ledger over the store in memory. Concurrent calls share round trips, as over PostgreSQL. */
export function openMemoryLedger(store: MemoryStore, workerId: string, call: Call): Ledger {
  return {
    claim: createBatcher({
      maxItems: 200,
      flush: (items: ClaimRequest[]) => call('claim', () => store.claim(workerId, items)),
    }),
    finish: createBatcher({
      maxItems: 200,
      flush: (items: FinishEntry[]) =>
        call('finish', async () => {
          const results: Promise<Finished>[] = []
          for (const item of items) {
            const finished = store.finish(workerId, item)
            await finished.catch(() => {})
            results.push(finished)
          }
          return results
        }),
    }),
    giveUp: (ref) => call('give up', () => store.giveUp(ref)),
    restore: (envelope) => call('restore', () => store.restore(envelope)),
  }
}

export function openMemoryHeldStore(store: MemoryStore, call: Call): HeldStore {
  return {
    topics: () => call('held topics', () => store.heldTopics()),
    read: (topic, limit) => call('read held', () => store.readHeld(topic, limit)),
    strikeOff: (deliveries) => call('strike off held', () => store.strikeOffHeld(deliveries)),
    failTooLarge: (deliveries) => call('fail too large', () => store.failTooLarge(deliveries)),
    dropEnded: () => call('drop held', () => store.dropEndedHeld()),
  }
}

export function openMemoryPlannerStore(store: MemoryStore, call: Call): PlannerStore {
  return {
    users: (_tenant, ids) =>
      call('read users', () => new Map([...store.users].filter(([id]) => ids.includes(id)))),
    record: (planned) => call('record requests', () => store.record(planned)),
    hold: (records) => call('hold records', () => store.hold(records)),
    failTooLarge: (deliveries) => call('fail too large', () => store.failTooLarge(deliveries)),
  }
}
