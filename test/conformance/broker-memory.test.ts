import { systemClock } from '../../core/clock.ts'
import { type Link, MemoryCluster } from '../simulation/memory-broker/cluster.ts'
import { describeBroker } from './broker.ts'
import type { BrokerCluster } from './broker/harness.ts'

describeBroker("the simulation's broker", { start, restarts: false, timeout: 120_000 })

async function start(): Promise<BrokerCluster> {
  const cluster = new MemoryCluster({ clock: systemClock, gaps: false })
  const link = (): Link => ({
    call: async (_name, effect) => {
      await Promise.resolve()
      return effect()
    },
    push: (handle) => void setImmediate(handle),
  })
  let topics = 0
  return {
    open: async () => cluster.open(link()),
    topicName: () => `topic-${++topics}`,
    clean: async () => cluster.log.clean(Date.now()),
    close: async () => {},
    capabilities: { deadlineMs: 30_000, cleaningMs: 30_000, recoveryMs: 0 },
  }
}
