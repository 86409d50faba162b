import type { Idempotency, Outcome, SendContext } from '../../core/providers/provider.ts'
import type { OpenedProvider } from '../../workers/delivery/providers.ts'
import type { SimulatedProcess } from './process.ts'
import type { DeliveryRow, MemoryStore } from './memory-store.ts'

/** What a vendor does with one send. */
export interface Answer {
  outcome: Outcome
  /** Whether the message reaches its recipient, whatever the outcome says. */
  taken: boolean
  /** Until the answer leaves. */
  milliseconds?: number
}

/** @param send `nth` counts the sends of this delivery from 1; `elapsed` is in milliseconds since the start */
export type Behaviour = (send: { nth: number; elapsed: number; provider: string }) => Answer

export interface Send {
  delivery: string
  worker: string
  taken: boolean
}

export interface VendorOptions {
  store: MemoryStore
  idempotency: Idempotency
  behaviour: Behaviour
  /** Milliseconds since the epoch. */
  started: number
  /** Is told of each call when it begins. */
  onCall(delivery: string, process: SimulatedProcess): void
  /** Is told of what the engine must never do. */
  onProblem(problem: string): void
}

const timeout = 1_000

/** What lies outside: it takes messages, keeps a log of them, and answers as the scenario says. */
export class Vendor {
  readonly sends: Send[] = []
  /** The delivery of each row of an inbox. */
  readonly inbox: string[] = []
  readonly #options: VendorOptions

  constructor(options: VendorOptions) {
    this.#options = options
  }

  /** The provider as a worker in this process has it. */
  open(name: string, process: SimulatedProcess): OpenedProvider {
    const { idempotency } = this.#options
    return {
      name,
      timeout,
      maxConcurrent: 20,
      idempotency,
      provider: {
        send: async (_message, context, signal) => {
          this.#checkLease(context, process)
          this.#options.onCall(context.deliveryUuid, process)
          if (idempotency === 'transaction') return this.#toInbox(context)
          let answer: Answer | undefined
          const answered = process.call(
            `send ${name}`,
            () => (answer = this.#take(name, context, process)).outcome,
            () => answer?.milliseconds ?? 0,
          )
          return Promise.race([answered, timedOut(signal)])
        },
        close: async () => {},
      },
    }
  }

  #take(provider: string, { deliveryUuid }: SendContext, process: SimulatedProcess): Answer {
    const { behaviour, started } = this.#options
    const nth = this.sends.filter(({ delivery }) => delivery === deliveryUuid).length + 1
    const answer = behaviour({ nth, elapsed: process.clock.now() - started, provider })
    this.sends.push({ delivery: deliveryUuid, worker: process.name, taken: answer.taken })
    return answer
  }

  #toInbox({ deliveryUuid }: SendContext): Outcome {
    return { class: 'sent', commitWith: async () => void this.inbox.push(deliveryUuid) }
  }

  /** A call may start only under a claim that covers it. */
  #checkLease({ deliveryUuid }: SendContext, process: SimulatedProcess): void {
    const row: DeliveryRow | undefined = this.#options.store.deliveries.get(deliveryUuid)
    const left = (row?.lease_until?.getTime() ?? 0) - process.clock.now()
    if (row?.status !== 'sending' || row.owner !== process.name || left < timeout)
      this.#options.onProblem(`sent without a lease: ${process.name} called the vendor for ${deliveryUuid}`)
  }
}

function timedOut(signal: AbortSignal): Promise<Outcome> {
  return new Promise((resolve) => {
    const end = () => resolve({ class: 'maybe_sent', code: 'timeout', detail: 'no answer in time' })
    signal.addEventListener('abort', end, { once: true })
  })
}
