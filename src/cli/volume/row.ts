/** Volumes as rows of `volume ls` and `system df -v`. */
import type { Volume } from "../../api/volumes.ts";
import { showLabels } from "../container/row.ts";
import { GoObject } from "../format/template/go-type.ts";
import { humanSize } from "../format/units.ts";

export const volumeHeader = {
  Name: "VOLUME NAME",
  Group: "GROUP",
  Driver: "DRIVER",
  Scope: "SCOPE",
  Availability: "AVAILABILITY",
  Mountpoint: "MOUNTPOINT",
  Labels: "LABELS",
  Links: "LINKS",
  Size: "SIZE",
  Status: "STATUS",
};

export function volumeRow(volume: Volume): GoObject {
  return new GoObject("*formatter.volumeContext", {
    Availability: () => "N/A",
    Driver: () => volume.Driver,
    Group: () => "N/A",
    Label: (name) => volume.Labels?.[name] ?? "",
    Labels: () => showLabels(volume.Labels),
    Links: () => (volume.UsageData ? String(volume.UsageData.RefCount) : "N/A"),
    Mountpoint: () => volume.Mountpoint,
    Name: () => volume.Name,
    Scope: () => volume.Scope,
    Size: () => (volume.UsageData ? humanSize(volume.UsageData.Size) : "N/A"),
    Status: () => "N/A",
  });
}
