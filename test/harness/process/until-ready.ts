import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Waits until `/readyz` of a process of ours says so, and answers its URL. Ends the process and throws with its output when it ends before, or takes too long.
 * @param url where to ask, once that is known
 */
export async function untilReady(
  name: string,
  { process, output }: { process: ChildProcess; output(): string },
  url: () => Promise<string | undefined> | string | undefined,
  milliseconds: number,
): Promise<string> {
  const deadline = Date.now() + milliseconds
  for (;;) {
    const place = await url()
    if (place !== undefined && (await isReady(place))) return place
    if (process.exitCode !== null || process.signalCode !== null || Date.now() > deadline) {
      process.kill('SIGKILL')
      throw new Error(`${name} did not become ready:\n${output()}`)
    }
    await sleep(50)
  }
}

async function isReady(url: string): Promise<boolean> {
  return fetch(`${url}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  )
}
