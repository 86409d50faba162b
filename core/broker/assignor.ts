/** What a group shares out and among whom. */
export interface Subscriber {
  readonly topics: readonly string[]
}

/**
 * Kafka's round-robin assignment: the partitions in order of topic and number are dealt to the members in turn, each to the next
 * member that subscribes to its topic. Every partition of a subscribed topic gets exactly one owner.
 */
export function assignRoundRobin<Member extends Subscriber, Partition>(
  members: readonly Member[],
  partitionsOf: (topic: string) => readonly Partition[],
): Map<Member, Partition[]> {
  const shares = new Map(members.map((member) => [member, [] as Partition[]]))
  const topics = [...new Set(members.flatMap(({ topics }) => topics))].toSorted()
  let turn = 0
  for (const topic of topics) {
    for (const partition of partitionsOf(topic)) {
      while (!members[turn % members.length]!.topics.includes(topic)) turn++
      shares.get(members[turn++ % members.length]!)!.push(partition)
    }
  }
  return shares
}
