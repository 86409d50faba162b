import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../harness/balance/load.ts'
import type { TcpProxy } from '../harness/tcp-proxy.ts'
import { expectMessages } from './expect-messages.ts'
import type { Fault } from './fault.ts'
import { readMetrics, type World } from './world.ts'

/** Milliseconds for which a fault of the network lasts. */
const while_ = 4_000

/** Kafka, PostgreSQL, Redis and the way to them. */
export const partFaults: Fault[] = [
  {
    name: 'Kafka: kill -9 and restart',
    guarantees: ['G1', 'G4'],
    invariant: 'no 202 while Kafka is away; what was accepted is delivered when it is back',
    async strike({ kafka }) {
      await kafka.kill()
      await kafka.start()
    },
  },
  {
    name: 'Kafka: answers to Produce lost',
    guarantees: ['G1', 'G2'],
    invariant:
      'what is not known to be in the log is sent again; a record that is there twice is dropped by the ledger',
    async strike({ kafka }) {
      for (let count = 0; count < 10; count++) await kafka.proxy.loseNextAnswer().lost
    },
  },
  {
    name: 'Kafka: 200 ms away',
    guarantees: ['G2', 'G6'],
    invariant: 'slower, and nothing else',
    strike: ({ kafka }) => delayed(kafka.proxy),
  },
  {
    name: 'Kafka: connections reset',
    guarantees: ['G1', 'G2'],
    invariant: 'every client comes back by itself, into the same place of its group',
    strike: ({ kafka }) => reset(kafka.proxy),
  },
  {
    name: 'Kafka: connections half-open',
    guarantees: ['G1', 'G2', 'G4'],
    invariant: 'silence is noticed by its length, and answered by new connections',
    strike: ({ kafka }) => silence(kafka.proxy),
  },
  {
    name: 'PostgreSQL: stopped and started',
    guarantees: ['G1', 'G4'],
    invariant:
      'the API goes on accepting; planner and workers hold what they have; outcomes are recorded when it is back',
    async strike(world) {
      await world.postgres.stop()
      await acceptsWithoutStore(world)
      await world.postgres.start()
    },
  },
  {
    name: 'PostgreSQL: 200 ms away',
    guarantees: ['G2', 'G6'],
    invariant: 'slower, and nothing else',
    strike: ({ postgres }) => delayed(postgres.proxy),
  },
  {
    name: 'PostgreSQL: connections reset',
    guarantees: ['G2'],
    invariant: 'a claim or an outcome that may have been written is asked for again, never made twice',
    strike: ({ postgres }) => reset(postgres.proxy),
  },
  {
    name: 'PostgreSQL: connections half-open',
    guarantees: ['G2', 'G4'],
    invariant:
      'silence is noticed by its length; locks of a connection that nobody ends do not hold up the others for ever',
    strike: ({ postgres }) => silence(postgres.proxy),
  },
  {
    name: 'Redis: gone',
    guarantees: ['G5'],
    invariant: 'each worker keeps to its own share of the rate limit and goes on',
    async strike(world) {
      await world.redis.kill()
      await until(() => sharesLimits(world, 0), 'the workers keep to their own shares')
      await expectMessages(world, 50, 'messages are sent without Redis')
      await world.redis.restart()
      await until(() => sharesLimits(world, 1), 'the workers share the limit again')
    },
  },
]

async function sharesLimits({ workers }: World, value: 0 | 1): Promise<boolean> {
  const said = await Promise.all(workers.map((worker) => readMetrics(worker)))
  return said.every((text) => text.includes(`carillon_ratelimit_shared ${value}\n`))
}

async function delayed(proxy: TcpProxy): Promise<void> {
  proxy.delay(200)
  await sleep(while_)
  proxy.delay(0)
}

async function reset(proxy: TcpProxy): Promise<void> {
  const end = Date.now() + while_
  for (let count = 0; Date.now() < end || count === 0; await sleep(400)) count += proxy.reset()
}

async function silence(proxy: TcpProxy): Promise<void> {
  if (proxy.silence() === 0) throw new Error('there was no connection')
}

async function acceptsWithoutStore(world: World): Promise<void> {
  await until(async () => {
    const response = await fetch(`${world.api.url()}/v1/notifications`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ to: [{ webhook_url: `${world.sink.url}/aside` }], content: { text: 'aside' } }),
    }).catch(() => undefined)
    return response?.status === 202
  }, 'the API accepts although PostgreSQL is away')
}
