import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'

export interface ComponentOptions {
  program: string
  args: readonly string[]
  /** File that its output is added to. */
  log: string
  /** What answers 200 once it is ready; without, it counts as ready when it runs. */
  ready?: { url: string; ca: Buffer; cert: Buffer; key: Buffer }
}

const startDeadlineMs = 180_000

/** One program of a control plane. It keeps its address and its data through `kill` and `start`. */
export class Component {
  readonly #options: ComponentOptions
  #process: ChildProcess | undefined

  constructor(options: ComponentOptions) {
    this.#options = options
  }

  /** Resolves once it is ready; throws with the end of its log when it ends before, or takes too long. */
  async start(): Promise<void> {
    const { program, args, log, ready } = this.#options
    const output = openSync(log, 'a')
    const child = spawn(program, args, { stdio: ['ignore', output, output] })
    closeSync(output)
    const end = () => child.kill('SIGKILL')
    process.once('exit', end)
    child.once('exit', () => process.off('exit', end))
    this.#process = child
    const deadline = performance.now() + startDeadlineMs
    while (ready !== undefined && !(await answers(ready))) {
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline) {
        throw new Error(`${program} does not start:\n${await this.#endOfLog()}`)
      }
      await delay(50)
    }
  }

  /** `kill -9`. Resolves when the process is gone. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  /** Lets it hang, with its connections open, until `wake`. */
  hang(): void {
    this.#process?.kill('SIGSTOP')
  }

  wake(): void {
    this.#process?.kill('SIGCONT')
  }

  async #endOfLog(): Promise<string> {
    const log = await readFile(this.#options.log, 'utf8').catch(() => '')
    return log.split('\n').slice(-30).join('\n')
  }
}

function answers({ url, ...tls }: NonNullable<ComponentOptions['ready']>): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = request(url, { ...tls, timeout: 2_000, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    probe.on('timeout', () => probe.destroy())
    probe.on('error', () => resolve(false))
    probe.on('close', () => resolve(false))
    probe.end()
  })
}
