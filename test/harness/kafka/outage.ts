import { onTestFinished } from 'vitest'
import type { KafkaCluster } from './kafka.ts'

/** Kills all brokers. What it answers starts them again, once; at the latest that is done when the test has finished. */
export async function beginOutage({ nodes }: Pick<KafkaCluster, 'nodes'>): Promise<() => Promise<void>> {
  await Promise.all(nodes.map((node) => node.kill()))
  let isOver = false
  const end = async () => {
    if (isOver) return
    await Promise.all(nodes.map((node) => node.start()))
    isOver = true
  }
  onTestFinished(end)
  return end
}
