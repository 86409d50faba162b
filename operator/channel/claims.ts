import { channelTopicSpecs } from '../../core/broker/topic-specs.ts'
import { kinds } from '../../core/catalog/kinds.ts'
import type { OpenCatalog } from '../../core/catalog/reader.ts'
import { keyOf } from '../../core/catalog/records.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import type { CatalogWriter } from '../catalog-writer.ts'
import { createParser } from '../parser.ts'
import type { ConditionText } from '../runtime/conditions.ts'
import type { Cache } from '../runtime/watch/cache.ts'
import { type Claimant, topicCollision } from './collisions.ts'
import { isFalse, ownedElsewhere } from './condition-texts.ts'
import type { ChannelObject } from './status.ts'

export interface ClaimsOptions {
  channels: Pick<Cache<ChannelObject>, 'list'>
  catalog: Pick<OpenCatalog, 'published'>
  writer: Pick<CatalogWriter, 'foreignSource'>
  prefix: string
}

/** Who has which name and which topic. */
export function createClaims({ channels, catalog, writer, prefix }: ClaimsOptions) {
  const parse = createParser<NotificationChannel>(kinds.NotificationChannel)

  function claimantOf(object: ChannelObject): Claimant[] {
    const parsed = parse(object)
    const createdAt = object.metadata.creationTimestamp ?? ''
    return parsed.kind === 'ok' ? [{ channel: parsed.resource, createdAt }] : []
  }

  /** Channels that were published from a folder or through the API. */
  function foreign(): Claimant[] {
    return [...catalog.published().values()].flatMap(({ source, resource }) =>
      source !== 'kubernetes' && resource.kind === 'NotificationChannel'
        ? [{ channel: resource, createdAt: '' }]
        : [],
    )
  }

  function refusalOf(channel: NotificationChannel, object: ChannelObject): ConditionText | undefined {
    const source = writer.foreignSource(keyOf(channel))
    if (source !== undefined) return isFalse('OwnedElsewhere', ownedElsewhere('channel', source))
    const others = channels
      .list()
      .filter(({ metadata }) => metadata.uid !== object.metadata.uid)
      .flatMap(claimantOf)
    const [wanted] = claimantOf(object) as [Claimant]
    const collision = topicCollision(wanted, [...foreign(), ...others], prefix)
    return collision === undefined
      ? undefined
      : isFalse('TopicConflict', `${collision}: make this channel anew with another topic.name`)
  }

  return {
    /** Whether a channel can be served as its spec says: it may be invalid, or want what somebody else has. */
    judge(
      object: ChannelObject,
    ): { kind: 'accepted'; channel: NotificationChannel } | { kind: 'refused'; refusal: ConditionText } {
      const parsed = parse(object)
      if (parsed.kind === 'invalid')
        return { kind: 'refused', refusal: isFalse('InvalidSpec', parsed.message) }
      const refusal = refusalOf(parsed.resource, object)
      return refusal === undefined
        ? { kind: 'accepted', channel: parsed.resource }
        : { kind: 'refused', refusal }
    },

    /** The topics that any channel of a namespace lays claim to. */
    taken(namespace: string): ReadonlySet<string> {
      const claimants = [...foreign(), ...channels.list().flatMap(claimantOf)].filter(
        ({ channel }) => channel.metadata.namespace === namespace,
      )
      return new Set(
        claimants.flatMap(({ channel }) => channelTopicSpecs(prefix, channel).map(({ name }) => name)),
      )
    },
  }
}
