import { providers } from '../providers/registry.ts'
import { channelSchema } from '../resources/channel.ts'
import { templateSchema } from '../resources/template.ts'

/** The kinds of this build, with every provider of the registry. */
export const kinds = { NotificationChannel: channelSchema(providers), NotificationTemplate: templateSchema }
