import { afterAll, beforeAll, describe } from 'vitest'
import { describeAdministering } from './broker/administering.ts'
import { describeCleaning } from './broker/cleaning.ts'
import { describeConsuming } from './broker/consuming.ts'
import { describeFollowing } from './broker/following.ts'
import { Bench, type BrokerCluster } from './broker/harness.ts'
import { describeProducing } from './broker/producing.ts'
import { describeRebalancing } from './broker/rebalancing.ts'
import { describeRecovering } from './broker/recovering.ts'

export interface DescribeBrokerOptions {
  /** Starts a cluster, once for the whole suite. */
  start(): Promise<BrokerCluster>
  /** Whether the cluster has `restart`. */
  restarts: boolean
  /** Milliseconds for each test, and for starting. */
  timeout: number
}

/**
 * What every implementation of the Broker port must do. A real Kafka decides what is right: nothing here relies on contiguous
 * offsets, on which member gets which partition, or on changes being visible at once.
 */
export function describeBroker(name: string, { start, restarts, timeout }: DescribeBrokerOptions): void {
  describe(`${name} as a broker`, { timeout }, () => {
    let cluster: BrokerCluster
    beforeAll(async () => {
      cluster = await start()
    }, timeout)
    afterAll(() => cluster?.close(), timeout)

    const bench = new Bench(() => cluster)
    describeProducing(bench)
    describeConsuming(bench)
    describeRebalancing(bench)
    describeFollowing(bench)
    describeCleaning(bench)
    describeAdministering(bench)
    if (restarts) describeRecovering(bench)
  })
}
