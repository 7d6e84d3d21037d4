"""The images that the services run."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from deploy.operations import images
from deploy.operations.images import WantedImage
from deploy.roles.context import HostContext


@deploy("Images")
def put_images(host: HostContext) -> None:
    """Pull or send what the host lacks."""
    chosen = host.settings.images
    acme = chosen.acme if host.settings.tls.mode == "acme" else None
    wanted = (chosen.database, chosen.web, chosen.proxy, chosen.cache, chosen.api, acme, chosen.restic)
    images.present(
        name="The services' images are there",
        images=[
            WantedImage(
                reference=image.for_architecture(host.architecture),
                archive=host.inventory.file(image.archive) if image.archive else None,
                pull=image.pull,
            )
            for image in wanted
            if image is not None
        ],
    )
