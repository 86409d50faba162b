import type { Clock, Timers } from '../../core/clock.ts'
import type { VirtualTime } from './virtual-time.ts'

/** What is done to a process at one of its port calls: before the effect has happened, or after it and before the answer. */
export interface Disruption {
  /** Index among all port calls of the run. */
  call: number
  when: 'before' | 'after'
  kind: 'crash' | 'freeze'
}

export interface ProcessOptions {
  time: VirtualTime
  random: () => number
  /** Is told of every port call; answers what is to be done to the process at it. */
  onCall(name: string): Pick<Disruption, 'when' | 'kind'> | undefined
  disrupt(kind: Disruption['kind']): void
}

/** Longest way of a request, an answer or a message, in milliseconds. */
const longestWay = 5

/**
 * One life of a process: everything it does to the world goes through `call`, everything it hears of comes through `deliver`. So it can be
 * ended or frozen at any of those points, as `kill -9` and SIGSTOP do.
 */
export class SimulatedProcess {
  readonly name: string
  readonly clock: Clock & Timers
  readonly #options: ProcessOptions
  #state: 'running' | 'frozen' | 'dead' = 'running'
  /** What reached it while it was frozen. */
  #waiting: (() => void)[] = []
  #lastPush = 0

  constructor(name: string, options: ProcessOptions) {
    this.name = name
    this.#options = options
    const { time } = options
    this.clock = {
      now: () => time.now(),
      monotonic: () => time.monotonic(),
      after: (milliseconds, callback) => {
        let calledOff = false
        const callOff = time.after(milliseconds, () =>
          this.deliver(() => {
            if (!calledOff) callback()
          }),
        )
        return () => {
          calledOff = true
          callOff()
        }
      },
    }
  }

  get state(): 'running' | 'frozen' | 'dead' {
    return this.#state
  }

  crash(): void {
    this.#state = 'dead'
    this.#waiting = []
  }

  freeze(): void {
    if (this.#state === 'running') this.#state = 'frozen'
  }

  thaw(): void {
    if (this.#state !== 'frozen') return
    this.#state = 'running'
    this.#catchUp()
  }

  /** One by one, as an event loop does: what the first leads to comes before the second. */
  #catchUp(): void {
    if (this.#waiting.length === 0) return
    this.#options.time.after(0, () => {
      if (this.#state !== 'running') return
      this.#waiting.shift()?.()
      this.#catchUp()
    })
  }

  deliver(handle: () => void): void {
    if (this.#state === 'frozen' || this.#waiting.length > 0) this.#waiting.push(handle)
    else if (this.#state === 'running') handle()
  }

  /** One port call. @param answerAfter milliseconds between the effect and the answer's departure */
  call<T>(name: string, effect: () => T | Promise<T>, answerAfter = () => 0): Promise<T> {
    if (this.#state === 'dead') return new Promise(() => {})
    const { time, disrupt, onCall } = this.#options
    const planned = onCall(name)
    return new Promise((resolve, reject) => {
      const answer = (result: PromiseSettledResult<T>) => {
        if (planned?.when === 'after') disrupt(planned.kind)
        time.after(this.#way() + answerAfter(), () =>
          this.deliver(() =>
            result.status === 'fulfilled' ? resolve(result.value) : reject(result.reason as Error),
          ),
        )
      }
      const request = () =>
        time.after(this.#way(), () => {
          // Of a process that has died meanwhile the request may have left or not.
          if (this.#state === 'dead' && this.#options.random() < 0.5) return
          void settle(effect).then(answer)
        })
      if (planned?.when === 'before') disrupt(planned.kind)
      this.deliver(request)
    })
  }

  /** A message to the process. It overtakes none that was sent before. */
  push(handle: () => void): void {
    const { time } = this.#options
    this.#lastPush = Math.max(this.#lastPush, time.now() + this.#way())
    time.after(this.#lastPush - time.now(), () => this.deliver(handle))
  }

  #way(): number {
    return 1 + Math.floor(this.#options.random() * longestWay)
  }
}

async function settle<T>(effect: () => T | Promise<T>): Promise<PromiseSettledResult<T>> {
  const [result] = await Promise.allSettled([(async () => effect())()])
  return result
}
