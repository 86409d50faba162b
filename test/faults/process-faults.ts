import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../harness/balance/load.ts'
import type { Fault } from './fault.ts'
import { expectToEnd, type World } from './world.ts'

const interrupted = 'those in flight at that worker: their claims are interrupted'

/** Processes that die, freeze, come and go. */
export const processFaults: Fault[] = [
  {
    name: 'worker: kill -9',
    guarantees: ['G2', 'G3', 'G4'],
    invariant: 'another worker takes over what it held, once the lease has run out',
    duplicates: interrupted,
    async strike(world) {
      await killWorker(world)
      world.startWorker()
    },
  },
  {
    name: 'worker: frozen beyond session and lease, then thawed',
    guarantees: ['G2', 'G6'],
    invariant:
      'another worker takes over; the one that thaws records nothing over it, commits nothing, and sends nothing that is not its own',
    duplicates: interrupted,
    async strike(world) {
      const [frozen] = world.workers as [(typeof world.workers)[0]]
      frozen.process.kill('SIGSTOP')
      const before = repeats(world)
      const other = world.startWorker()
      await until(() => repeats(world) > before, 'the other worker has taken over', 120_000)
      frozen.process.kill('SIGCONT')
      await world.ready()
      await world.stopWorker(other)
    },
  },
  {
    name: 'API: kill -9',
    guarantees: ['G1'],
    invariant:
      'what was answered with 202 is delivered; what was not answered is delivered once when its client repeats it with the same key',
    async strike(world) {
      await world.api.kill()
      world.restart('api')
    },
  },
  {
    name: 'planner: kill -9',
    guarantees: ['G1', 'G2'],
    invariant: 'requests are planned again with the same ids, and the ledger drops what it has',
    async strike(world) {
      await world.planner.kill()
      world.restart('planner')
    },
  },
  {
    name: 'workers: 1, 4, 2',
    guarantees: ['G2', 'G6'],
    invariant: 'partitions move between workers without a loss, a repeat or a change of order',
    async strike(world, random) {
      for (let count = 0; count < 3; count++) world.startWorker()
      await world.ready()
      await sleep(random() * 1_000)
      const [first, second] = world.workers as [(typeof world.workers)[0], (typeof world.workers)[0]]
      await Promise.all([world.stopWorker(first), world.stopWorker(second)])
      await sleep(random() * 1_000)
      await world.stopWorker(world.workers[0]!)
    },
  },
  {
    name: 'all roles: restarted one after the other with SIGTERM',
    guarantees: ['G1', 'G2', 'G4'],
    invariant: 'each process drains: what it began is finished and recorded before it ends',
    async strike(world) {
      const old = world.workers[0]!
      world.startWorker()
      await world.ready()
      await world.stopWorker(old)
      await expectToEnd(world.planner, 'the planner')
      world.restart('planner')
      await expectToEnd(world.api, 'the API')
      world.restart('api')
      await world.ready()
    },
  },
]

async function killWorker(world: World): Promise<void> {
  const victim = world.workers[0]!
  await victim.kill()
  world.forget(victim)
}

/** Messages that the provider has more than once. */
function repeats({ sink }: World): number {
  return sink.receipts.length - new Set(sink.receipts.map(({ delivery }) => delivery)).size
}
