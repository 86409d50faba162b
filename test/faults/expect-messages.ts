import { startLoad, until } from '../harness/balance/load.ts'
import type { World } from './world.ts'

/** Waits until so many messages more have come to the provider. It sends some of its own, because the load may be over by now. */
export async function expectMessages(world: World, count: number, what: string): Promise<void> {
  const { sink } = world
  const before = sink.receipts.length
  const own = startLoad({
    url: () => world.api.url(),
    to: sink.url,
    name: `aside-${before}`,
    recipients: 20,
    messages: 0,
    interval: 200,
  })
  try {
    await until(() => sink.receipts.length >= before + count, what)
  } finally {
    own.stop()
    await own.done
  }
}
