import { setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { until } from '../harness/balance/load.ts'
import { newSigningSecret } from '../harness/process/install.ts'
import type { Arrival, WebhookSink } from '../harness/webhook-sink.ts'
import type { Fault } from './fault.ts'
import type { World } from './world.ts'

/** A provider in trouble. @param downSeconds for which it takes no connection */
export const providerFaults = (downSeconds: number): Fault[] => [
  {
    name: `provider: down for ${downSeconds} s`,
    guarantees: ['G2', 'G3', 'G4'],
    invariant: 'every message is tried again until the provider is back',
    duplicates: 'those in flight when it went: its answer was lost, and their attempts say maybe_sent',
    async strike({ sink }) {
      await sink.down()
      await sleep(downSeconds * 1_000)
      await sink.up()
    },
  },
  {
    name: 'provider: slow, within its time-out',
    guarantees: ['G2'],
    invariant: 'slower, and nothing else',
    async strike({ sink }, random) {
      sink.setLatency(() => 2_000 + random() * 1_000)
      await sleep(5_000)
    },
  },
  {
    name: 'provider: takes messages and never answers',
    guarantees: ['G2', 'G4'],
    invariant: 'each call ends with its time-out, and is made again under the same id',
    duplicates: 'those it did not answer: their attempts say maybe_sent',
    async strike({ sink }) {
      const before = sink.receipts.length
      sink.behave(() => ({}))
      await until(() => sink.receipts.length >= before + 5, 'messages are not answered')
    },
  },
  {
    name: 'provider: 429 with Retry-After',
    guarantees: ['G3', 'G4'],
    invariant: 'waits as told; the attempts are not counted',
    strike: ({ sink }) => refusals(sink, () => ({ status: 429, headers: { 'retry-after': '1' } })),
  },
  {
    name: 'provider: token expired, then a new one in the Secret',
    guarantees: ['G3', 'G4', 'G5'],
    invariant: 'no attempt is spent, and the new token is used without a restart',
    async strike(world) {
      const secret = newSigningSecret()
      await refusals(world.sink, (arrival) =>
        isSignedWith(secret, arrival) ? { status: 204 } : { status: 401 },
      )
      await rotate(world, secret)
    },
  },
]

/** Waits until a manner has refused some: after a few the provider is left alone for a while. */
async function refusals(sink: WebhookSink, manner: Parameters<WebhookSink['behave']>[0]): Promise<void> {
  const before = sink.refused()
  sink.behave(manner)
  await until(() => sink.refused() >= before + 5, 'messages were refused')
}

/** Writes the secret, and waits until it is used. */
async function rotate({ sink, install }: World, secret: string): Promise<void> {
  const before = sink.receipts.length
  await install.writeSecret('hooks', 'secret', secret)
  await until(() => sink.receipts.length > before, 'a message came with the new token', 120_000)
}

function isSignedWith(secret: string, { body, headers }: Arrival): boolean {
  try {
    new Webhook(secret).verify(body, headers as Record<string, string>)
    return true
  } catch {
    return false
  }
}
