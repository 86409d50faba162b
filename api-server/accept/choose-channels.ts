import type { Catalog } from '../../core/catalog/catalog.ts'
import { channelTypeOf, type Recipient } from '../../core/notification/recipient.ts'
import { type ChannelType, channelTypes } from '../../core/resources/channel-type.ts'
import { suggestion } from '../../core/resources/problem.ts'
import { type FieldError, fieldError } from '../http/problem.ts'
import type { ResolvedContent } from './resolve-content.ts'
import type { SendRequest } from './send-request.ts'

export interface ChosenChannel {
  name: string
  type: ChannelType
}

export interface ChosenChannels {
  channels: ChosenChannel[]
  errors: FieldError[]
}

/** The channels that a request names, or else those that follow from what it says and to whom. */
export function chooseChannels(
  request: SendRequest,
  resolved: ResolvedContent,
  catalog: Catalog,
  tenant: string,
): ChosenChannels {
  return request.channels === undefined
    ? byDefault(request, resolved, catalog, tenant)
    : byName(request.channels, resolved, catalog, tenant)
}

/** Whether a channel of this type can reach the recipient: any can reach a user, only its own kind an address. */
export function reaches(type: ChannelType, recipient: Recipient): boolean {
  const fits = channelTypeOf(recipient)
  return fits === undefined || fits === type
}

type DefaultChannel =
  | { kind: 'one'; name: string }
  | { kind: 'none' }
  /** Several channels of the type, and none of its name. */
  | { kind: 'several' }

/** The channel that carries a type when none is named: the one that is called like the type, else the only one there is. */
function defaultChannel(channels: ReturnType<Catalog['channels']>, type: ChannelType): DefaultChannel {
  const names = channels
    .filter(({ resource }) => resource.spec.type === type)
    .map(({ resource }) => resource.metadata.name)
  const name = names.find((candidate) => candidate === type) ?? (names.length === 1 ? names[0] : undefined)
  if (name !== undefined) return { kind: 'one', name }
  return { kind: names.length === 0 ? 'none' : 'several' }
}

/** The name to ask for when somebody wants a type: that of its default channel, or one that nobody has. */
export function channelNameFor(catalog: Catalog, tenant: string, type: ChannelType): string {
  const channel = defaultChannel(catalog.channels(tenant), type)
  return channel.kind === 'one' ? channel.name : type
}

function byName(
  names: readonly string[],
  resolved: ResolvedContent,
  catalog: Catalog,
  tenant: string,
): ChosenChannels {
  const chosen: ChosenChannels = { channels: [], errors: [] }
  for (const [index, name] of names.entries()) {
    const type = catalog.channel(tenant, name)?.resource.spec.type
    if (type === undefined) {
      const known = catalog.channels(tenant).map(({ resource }) => resource.metadata.name)
      const detail = `there is no such channel${suggestion(name, known)}`
      chosen.errors.push(fieldError(`/channels/${index}`, 'unknown_channel', detail))
      continue
    }
    const missing = resolved.missing(type)
    if (missing.length > 0) chosen.errors.push(...missing)
    else chosen.channels.push({ name, type })
  }
  return chosen
}

function byDefault(
  { to, content }: SendRequest,
  resolved: ResolvedContent,
  catalog: Catalog,
  tenant: string,
): ChosenChannels {
  if (content !== undefined && to.some((recipient) => channelTypeOf(recipient) === undefined)) {
    const detail = 'is required: content goes to a user on the channels you name'
    return { channels: [], errors: [fieldError('/channels', 'required', detail)] }
  }
  const chosen: ChosenChannels = { channels: [], errors: [] }
  const channels = catalog.channels(tenant)
  for (const type of channelTypes) {
    if (!to.some((recipient) => reaches(type, recipient))) continue
    const missing = resolved.missing(type)
    // A template need not speak on every channel; one's own words must fit where they are sent.
    if (missing.length > 0) {
      if (content !== undefined) chosen.errors.push(...missing)
      continue
    }
    const channel = defaultChannel(channels, type)
    if (channel.kind === 'one') chosen.channels.push({ name: channel.name, type })
    if (channel.kind === 'several') {
      const detail = `is required: there are several channels of type ${type}`
      chosen.errors.push(fieldError('/channels', 'required', detail))
    }
  }
  return chosen
}
