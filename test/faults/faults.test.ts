import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeBalance } from '../harness/balance/balance.ts'
import { describePart } from '../harness/parts/describe-part.ts'
import { allFaults } from './all.ts'
import { leastInFlight, runFault } from './fault.ts'
import { outliveRetention } from './retention.ts'
import { startWorld, type World } from './world.ts'

/** Every fault once, under a small load. `make faults` is the long form. */

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

describePart('kafka', (kafka) =>
  describePart('redis', (redis) => {
    describe.skipIf(`${kafka}${redis}`.includes(':'))(`under load (SEED=${seed})`, () => {
      let world: World
      beforeAll(async () => {
        world = await startWorld({ kafka, redis })
      }, 180_000)
      afterAll(async () => {
        await world?.stop()
      }, 120_000)

      it.each(allFaults(5).map((fault) => [fault.name, fault.guarantees.join(' '), fault] as const))(
        '%s: %s hold',
        { timeout: 420_000 },
        async (_name, _guarantees, fault) => {
          const { inFlight, balance, seconds, problems } = await runFault(world, fault, { seed, messages: 3 })
          console.log(
            `${fault.name}: ${inFlight} in flight; ${describeBalance(balance)}; ${seconds.toFixed(1)} s`,
          )
          if (problems.length > 0) console.log(world.complaints())
          expect(problems).toEqual([])
          expect(inFlight).toBeGreaterThanOrEqual(leastInFlight)
        },
      )

      it('a suspended channel over its retention: G4 holds, what Kafka deleted is expired with a reason', async () => {
        const ledger = await outliveRetention(world, `retention-${seed}`)
        expect(ledger.length).toBeGreaterThanOrEqual(leastInFlight)
        expect(new Set(ledger.map(({ status, reason }) => `${status} ${reason}`))).toEqual(
          new Set(['expired log_expired']),
        )
      }, 420_000)
    })
  }),
)
