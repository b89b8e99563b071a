/** Engine API wire types: images. Source: Docker Engine API 1.51. */
import type { ContainerConfig } from "./container-config.ts";

export interface OciPlatform {
  os: string;
  architecture: string;
  variant?: string;
}

export interface OciDescriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: OciPlatform;
  annotations?: Record<string, string>;
}

/** One manifest behind an image; of an index also those that are not here. Since 1.47. */
export interface ImageManifestSummary {
  ID: string;
  Descriptor: OciDescriptor;
  Available: boolean;
  Size: { Content: number; Total: number };
  Kind: "image" | "attestation" | "unknown";
  ImageData?: { Platform: OciPlatform; Size: { Unpacked: number }; Containers: string[] | null };
  AttestationData?: { For: string };
}

export interface ImageSummary {
  Id: string;
  ParentId: string;
  RepoTags: string[] | null;
  RepoDigests: string[] | null;
  /** Seconds since 1970. */
  Created: number;
  Size: number;
  SharedSize: number;
  VirtualSize?: number;
  Labels: Record<string, string> | null;
  Containers: number;
  Descriptor?: OciDescriptor;
  Manifests?: ImageManifestSummary[];
}

export interface ImageInspect {
  Id: string;
  RepoTags: string[];
  RepoDigests: string[];
  Parent: string;
  Comment: string;
  Created?: string;
  DockerVersion: string;
  Author: string;
  Architecture: string;
  Variant?: string;
  Os: string;
  Size: number;
  VirtualSize?: number;
  GraphDriver: { Name: string; Data: Record<string, string> | null };
  RootFS: { Type: string; Layers?: string[] };
  Metadata: { LastTagTime: string };
  Descriptor?: OciDescriptor;
  Manifests?: ImageManifestSummary[];
  Config: ContainerConfig | null;
  Container?: string;
  ContainerConfig?: ContainerConfig | null;
}

export interface ImageHistoryItem {
  Id: string;
  /** Seconds since 1970. */
  Created: number;
  CreatedBy: string;
  Tags: string[] | null;
  Size: number;
  Comment: string;
}

export interface SearchResult {
  name: string;
  description: string;
  star_count: number;
  is_official: boolean;
  is_automated: boolean;
}

export interface ImageDeleteItem {
  Untagged?: string;
  Deleted?: string;
}

export interface PruneImagesResponse {
  ImagesDeleted: ImageDeleteItem[] | null;
  SpaceReclaimed: number;
}
