# install() comes with the package config.
