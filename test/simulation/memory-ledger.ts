import type { Clock, Timers } from '../../core/clock.ts'
import { createPace } from '../../core/pace.ts'
import { createBatcher } from '../../core/store/batcher.ts'
import type { HeldStore } from '../../core/store/held-store.ts'
import {
  type ClaimRequest,
  type Finished,
  type FinishEntry,
  type Ledger,
  outcomeInterval,
} from '../../workers/delivery/ledger/ledger.ts'
import type { PlannerStore } from '../../workers/planner/store.ts'
import type { MemoryStore } from './memory-store.ts'

/** A round trip to the store: what takes time, and what a crash cuts. */
export type Call = <T>(name: string, effect: () => T | Promise<T>) => Promise<T>

/** The ledger over the store in memory. Concurrent calls share round trips, and outcomes come in turn, as over PostgreSQL. */
export function openMemoryLedger(
  store: MemoryStore,
  workerId: string,
  call: Call,
  clock: Clock & Timers,
): Ledger {
  return {
    claim: createBatcher({
      maxItems: 200,
      flush: (items: ClaimRequest[]) => call('claim', () => store.claim(workerId, items)),
    }),
    finish: createBatcher({
      maxItems: 200,
      pace: createPace(outcomeInterval, clock),
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
    hold: (record) => call('hold', () => store.hold([record])),
    giveUp: (ref, reason) => call('give up', () => store.giveUp(ref, reason)),
    restore: (envelope) => call('restore', () => store.restore(envelope)),
  }
}

export function openMemoryHeldStore(store: MemoryStore, call: Call): HeldStore {
  return {
    topics: () => call('held topics', () => store.heldTopics()),
    behind: (topics) => call('held behind', () => store.heldBehind(topics)),
    read: (topic, limit) => call('read held', () => store.readHeld(topic, limit)),
    strikeOff: (records) => call('strike off held', () => store.strikeOffHeld(records)),
    endRefused: (refused) => call('end refused', () => store.endRefusedHeld(refused)),
    dropEnded: () => call('drop held', () => store.dropEndedHeld()),
  }
}

export function openMemoryPlannerStore(store: MemoryStore, call: Call): PlannerStore {
  return {
    users: (_tenant, ids) =>
      call('read users', () => new Map([...store.users].filter(([id]) => ids.includes(id)))),
    record: (planned) => call('record requests', () => store.record(planned)),
    hold: (records) => call('hold records', () => store.hold(records)),
    held: openMemoryHeldStore(store, call),
    failRefused: (refused) => call('fail refused', () => store.failRefused(refused)),
  }
}
